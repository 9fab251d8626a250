// The record as a report, which the server makes.

import { type Api, NotTaken } from "../api";
import { UserError } from "../types";

/** Sends the table to the server, and gives the page that it makes of it. */
export async function makeReport(api: Api, csv: string): Promise<Blob> {
  try {
    return await api.postCsv("v1/reports", csv);
  } catch (error) {
    if (error instanceof NotTaken) {
      throw new UserError(error.message, "Save the CSV, and run “mien report” on it.");
    }
    if (!(error instanceof UserError)) throw error;
    // Trying again is to save again, not to recognise again.
    throw new UserError(error.message, error.advice, ["save-report"]);
  }
}
