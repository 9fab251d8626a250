// Where pictures come from, and what to say when they do not.

import { UserError } from "./types";

/** Opens a camera; the errors are worded for people. */
export async function openCamera(deviceId: string): Promise<MediaStream> {
  if (!window.isSecureContext) {
    throw new UserError(
      "Browsers give the camera only to pages from https:// and from this very device.",
      `This page came from ${location.origin}. Ask for it over https, or open a file instead.`,
    );
  }
  if (!navigator.mediaDevices) {
    throw new UserError("This browser has no access to cameras.", "Open a file instead.");
  }
  const video: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 } };
  if (deviceId) video.deviceId = { exact: deviceId };
  else video.facingMode = "user";
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw explain(error as DOMException);
  }
}

function explain(error: DOMException): UserError {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new UserError(
        "The camera was refused.",
        "Allow it for this page (the camera icon beside the address), or open a file instead.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new UserError("There is no camera.", "Connect one, or open a photo or a video.");
    case "NotReadableError":
    case "AbortError":
      return new UserError(
        "The camera cannot be read.",
        "Another program may be using it: close that, or choose another camera.",
      );
    default:
      return new UserError("The camera cannot be opened.", error.message);
  }
}

/** The cameras there are; without permission the browser gives them no names. */
export async function listCameras(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId !== "");
}

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
    );
  }
}
