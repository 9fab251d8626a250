// Photos from files.

import { UserError } from "../types";

/** Decodes a photo as Python's side does: turned by its EXIF orientation, colours untouched. */
export async function decodePhoto(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw new UserError(
      "This file is no picture that the browser can read.",
      "Open a JPEG, PNG or WebP picture, or a video.",
      ["use-server", "open-file"],
    );
  }
}
