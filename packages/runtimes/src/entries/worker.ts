// workerd: answers with its report. All of it is made within one request.
import { makeReport } from "../report.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await makeReport(await request.json(), false));
  },
};
