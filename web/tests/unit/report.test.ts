// What is said where the server makes no report.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Api } from "../../src/api";
import { problemOf } from "../../src/page";
import { makeReport } from "../../src/record/report";

let answer: () => Promise<Response>;

beforeEach(() => {
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("document", { baseURI: "http://mien.test/" });
  vi.stubGlobal("fetch", () => answer());
});
afterEach(() => vi.unstubAllGlobals());

const problemWith = async (status: number, title: string, detail: string) => {
  answer = async () => new Response(JSON.stringify({ title, detail }), { status });
  const error = await makeReport(new Api(async () => null), "frame\n").catch((error: unknown) => error);
  return problemOf(error);
};

it.each([
  [413, "That is too large", "The request has 90,000,000 bytes or more; at most 80,000,000 here."],
  [422, "It cannot be read", "The record needs too much memory."],
])("of a record that it does not take, the page says how else (%i)", async (status, title, detail) => {
  expect(await problemWith(status, title, detail)).toEqual({
    text: `${title}. ${detail} Save the CSV, and run “mien report” on it.`,
    remedies: [],
  });
});

it("where a proxy takes no more, the page says the same", async () => {
  answer = async () => new Response("<h1>413 Request Entity Too Large</h1>", { status: 413 });
  const making = makeReport(new Api(async () => null), "frame\n");
  await expect(making).rejects.toMatchObject({
    message: "The server answered with status 413.",
    advice: "Save the CSV, and run “mien report” on it.",
  });
});

it("where it may make one later, the page offers to save it again", async () => {
  expect(await problemWith(503, "Busy", "Wait.")).toMatchObject({ remedies: ["save-report"] });
  answer = async () => Promise.reject(new TypeError("no connection"));
  const making = makeReport(new Api(async () => null), "frame\n");
  await expect(making).rejects.toMatchObject({ remedies: ["save-report"] });
});
