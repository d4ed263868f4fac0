// Made for tests, trusted by nobody: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
// -days 36500 -subj /CN=fairlead-test -addext subjectAltName=DNS:localhost,DNS:orders.test,IP:127.0.0.1
export const certificate: string = `-----BEGIN CERTIFICATE-----
MIIBsTCCAVagAwIBAgIUBroATCGTsIpGrta6FTc1//vzCogwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNZmFpcmxlYWQtdGVzdDAgFw0yNjExMjEwMDQ5MDBaGA8yMTI2
MTAyODAwNDkwMFowGDEWMBQGA1UEAwwNZmFpcmxlYWQtdGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABP4hXxz/4G5vkQBm4TWUddPZszAF6GHjIzmjGHrqjBk6
ZSgPbI/jF7pkM02cBAAw+Xa7xKrAaF/I2lhEicHjSZWjfDB6MB0GA1UdDgQWBBQc
4FgRdVwiW68y+eFxu4lk+c5TkzAfBgNVHSMEGDAWgBQc4FgRdVwiW68y+eFxu4lk
+c5TkzAPBgNVHRMBAf8EBTADAQH/MCcGA1UdEQQgMB6CCWxvY2FsaG9zdIILb3Jk
ZXJzLnRlc3SHBH8AAAEwCgYIKoZIzj0EAwIDSQAwRgIhAPNGOwgBtvHGroQAScDz
OSDOriSv9Cb1D3MjJnlihgJuAiEAhvR5glXIDFa39UT/pTfp6nZJHt6LoQsct23w
i2tPJB0=
-----END CERTIFICATE-----
`;

export const privateKey: string = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeKhERIppGsYPZLHM
Ge+jESlR42KTNw7/nbC0EK2xvJKhRANCAAT+IV8c/+Bub5EAZuE1lHXT2bMwBehh
4yM5oxh66owZOmUoD2yP4xe6ZDNNnAQAMPl2u8SqwGhfyNpYRInB40mV
-----END PRIVATE KEY-----
`;
