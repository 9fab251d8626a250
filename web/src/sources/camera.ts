// The camera, and what to say when it cannot be had.

import { UserError } from "../types";

/** Which camera is wanted: a certain one, else one that looks that way. */
export interface Camera {
  readonly deviceId: string;
  readonly facing: "user" | "environment";
}

/** Whether a camera looks at its user, who expects a mirror. */
export function isFrontCamera(stream: MediaStream): boolean {
  const { facingMode } = stream.getVideoTracks()[0]!.getSettings();
  return facingMode !== "environment";
}

/** The camera that is meant has gone, or there is none at all. */
export class NoCamera extends UserError {
  constructor() {
    super("There is no camera.", "Connect one, or open a photo or a video.", [
      "start-camera",
      "open-file",
    ]);
  }
}

/** The camera after the one that is open: that which looks the other way, else the next of the list. */
export function otherCamera(
  open: MediaTrackSettings,
  cameras: readonly Pick<MediaDeviceInfo, "deviceId">[],
): Camera {
  const facing = open.facingMode === "user" ? "environment" : "user";
  // Cameras of desktop computers look no way in particular.
  if (open.facingMode) return { deviceId: "", facing };
  const index = cameras.findIndex(({ deviceId }) => deviceId === open.deviceId);
  const next = cameras[(index + 1) % cameras.length];
  return { deviceId: next?.deviceId ?? "", facing };
}

/** Opens a camera; the errors are worded for people. */
export async function openCamera(camera: Camera): Promise<MediaStream> {
  if (!window.isSecureContext) {
    throw new UserError(
      "Browsers give the camera only to pages from https:// and from this very device.",
      `This page came from ${location.origin}. Ask for it over https, or open a file instead.`,
      ["open-file"],
    );
  }
  if (!navigator.mediaDevices) {
    throw new UserError("This browser has no access to cameras.", "Open a file instead.", [
      "open-file",
    ]);
  }
  const video: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 } };
  if (camera.deviceId) video.deviceId = { exact: camera.deviceId };
  else video.facingMode = camera.facing;
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
        ["start-camera", "open-file"],
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new NoCamera();
    case "NotReadableError":
    case "AbortError":
      return new UserError(
        "The camera cannot be read.",
        "Another program may be using it: close that, or choose another camera.",
        ["start-camera", "open-file"],
      );
    default:
      return new UserError("The camera cannot be opened.", error.message, ["start-camera"]);
  }
}

/** The cameras there are; without permission the browser gives them no names. */
export async function listCameras(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId !== "");
}
