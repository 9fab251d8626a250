// Opens what recognises. The networks of this device are kept; a connection is opened when needed.

import type { Api, NetworkFile, Progress } from "./api";
import { type ModelInfo, networkOf, temporalOf } from "./readings";
import { DeviceRecogniser } from "./recognisers/device";
import { ServerRecogniser } from "./recognisers/server";
import type { Mode, Recogniser } from "./types";

export class Engines {
  #model: Promise<ModelInfo> | null = null;
  #device: DeviceRecogniser | null = null;
  #server: ServerRecogniser | null = null;
  #loading: AbortController | null = null;
  #reading: string | null = null;
  #isOverTime = false;
  // SHA-256 of the temporal network that the device has; null for smoothing.
  #calmedBy: string | null = null;
  #mayUseGpu = true;

  constructor(
    private readonly api: Api,
    /** Told what the network is, once that is known. */
    private readonly described: (model: ModelInfo) => void,
  ) {}

  /** What the network is, and what it needs. */
  model(): Promise<ModelInfo> {
    this.#model ??= this.#describe().catch((error: unknown) => {
      this.#model = null;
      throw error;
    });
    return this.#model;
  }

  async #describe(): Promise<ModelInfo> {
    const model = await this.api.model();
    this.described(model);
    return model;
  }

  /** Chooses a reading of the network, for what is opened from now on. */
  readAs(reading: string): void {
    this.#reading = reading;
  }

  /** Whether a temporal network calms labels on this device, for what is opened from now on. */
  calmOverTime(isOverTime: boolean): void {
    this.#isOverTime = isOverTime;
  }

  /** Keeps the temporal network for times without a connection. */
  async keepTemporal(): Promise<void> {
    const { page_temporal: temporal } = await this.model();
    if (temporal) await this.api.bytes(temporal, () => {}, new AbortController().signal);
  }

  /** The labels of the reading that is chosen. */
  async labels(): Promise<readonly string[]> {
    return networkOf(await this.model(), this.#reading).reading.labels;
  }

  /** Opens what recognises. What was asked for before and is not open yet is broken off. */
  async open(mode: Mode, progress: Progress): Promise<Recogniser> {
    this.#loading?.abort();
    // Made before anything is waited for: whoever closes has something to break off.
    const { signal } = (this.#loading = new AbortController());
    const model = await this.model();
    signal.throwIfAborted();
    if (mode === "server") {
      return (this.#server ??= new ServerRecogniser(this.api, model, this.#reading));
    }
    const fetchFile = (file: NetworkFile, told: Progress) => this.api.bytes(file, told, signal);
    const temporal = this.#isOverTime ? temporalOf(model, this.#reading) : null;
    if (this.#device?.isBroken) {
      this.#mayUseGpu = this.#device.nextMayUseGpu;
      this.#device = null;
      this.#calmedBy = null;
    }
    const device =
      this.#device ??
      (await DeviceRecogniser.open(fetchFile, model, this.#mayUseGpu, progress, signal));
    if (signal.aborted && device !== this.#device) {
      device.close();
      throw signal.reason;
    }
    this.#device = device;
    await device.readAs(this.#reading);
    signal.throwIfAborted();
    const wanted = temporal?.sha256 ?? null;
    if (wanted !== this.#calmedBy) {
      // Fetched when it is wanted: the first result does not wait for it.
      const file = temporal && (await fetchFile(temporal, () => {}));
      signal.throwIfAborted();
      // Said before it is done: whoever wants another one next asks after this.
      this.#calmedBy = wanted;
      await device.calmBy(file);
    }
    return device;
  }

  /** Breaks off loading, and closes the connection to the server. */
  close(): void {
    this.#loading?.abort();
    this.#server?.close();
    this.#server = null;
  }
}
