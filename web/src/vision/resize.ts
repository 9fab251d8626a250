// OpenCV's resize for 8 bits, to the pixel: what Python's side of mien cuts faces out with.
//
// Ported from OpenCV 4's resize.cpp. The arithmetic is in 32-bit floats where OpenCV's is, hence
// the many Math.fround.

/** A picture of `channels` interleaved 8-bit channels. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Rounds halves to the even neighbour, as OpenCV and Python do. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const part = value - below;
  if (part !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Shrinks by averaging the pixels that each new one covers (INTER_AREA). */
export function resizeArea(image: Pixels, width: number, height: number): Pixels {
  const scaleX = 1 / (width / image.width);
  const scaleY = 1 / (height / image.height);
  if (isWhole(scaleX) && isWhole(scaleY)) {
    return resizeWholeArea(image, width, height, Math.round(scaleX), Math.round(scaleY));
  }
  return resizeFractionalArea(image, width, height, scaleX, scaleY);
}

/** Shrinks to half the size, without the last row or column of an odd number. */
function halve(image: Pixels): Pixels {
  return resizeWholeArea(image, image.width >> 1, image.height >> 1, 2, 2);
}

/**
 * Makes a picture smaller until its longer side is `longestSide`, as mien.faces.reduce does for
 * YuNet; also gives the new size through the old, at most 1.
 */
export function reduce(image: Pixels, longestSide: number): { image: Pixels; scale: number } {
  let scale = 1;
  while (
    Math.max(image.width, image.height) >= 2 * longestSide &&
    Math.min(image.width, image.height) > 1
  ) {
    image = halve(image);
    scale /= 2;
  }
  const rest = longestSide / Math.max(image.width, image.height);
  if (rest >= 1) return { image, scale };
  const width = Math.max(roundHalfEven(image.width * rest), 1);
  const height = Math.max(roundHalfEven(image.height * rest), 1);
  return { image: resizeLinear(image, width, height), scale: scale * rest };
}

function isWhole(scale: number): boolean {
  return Math.abs(scale - Math.round(scale)) < Number.EPSILON;
}

function resizeWholeArea(
  image: Pixels,
  width: number,
  height: number,
  stepX: number,
  stepY: number,
): Pixels {
  const { data, channels } = image;
  const out = new Uint8ClampedArray(width * height * channels);
  const stride = image.width * channels;
  const factor = Math.fround(1 / (stepX * stepY));
  const halves = stepX === 2 && stepY === 2;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let row = 0; row < stepY; row++) {
          let from = (y * stepY + row) * stride + x * stepX * channels + c;
          for (let column = 0; column < stepX; column++, from += channels) sum += data[from]!;
        }
        out[at++] = halves ? (sum + 2) >> 2 : roundHalfEven(Math.fround(sum * factor));
      }
    }
  }
  return { data: out, width, height, channels };
}

/** How much of which source pixel goes into which new one, along one axis. */
interface Shares {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly share: Float32Array;
}

function shares(size: number, newSize: number, scale: number): Shares {
  const from: number[] = [];
  const to: number[] = [];
  const share: number[] = [];
  const add = (source: number, target: number, part: number) => {
    from.push(source);
    to.push(target);
    share.push(part);
  };
  for (let target = 0; target < newSize; target++) {
    const start = target * scale;
    const end = start + scale;
    const cell = Math.min(scale, size - start);
    const last = Math.min(Math.floor(end), size - 1);
    const first = Math.min(Math.ceil(start), last);
    if (first - start > 1e-3) add(first - 1, target, (first - start) / cell);
    for (let source = first; source < last; source++) add(source, target, 1 / cell);
    if (end - last > 1e-3) add(last, target, Math.min(Math.min(end - last, 1), cell) / cell);
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to), share: Float32Array.from(share) };
}

function resizeFractionalArea(
  image: Pixels,
  width: number,
  height: number,
  scaleX: number,
  scaleY: number,
): Pixels {
  const { data, channels } = image;
  const out = new Uint8ClampedArray(width * height * channels);
  const columns = shares(image.width, width, scaleX);
  const rows = shares(image.height, height, scaleY);
  const stride = image.width * channels;
  const length = width * channels;
  const sums = new Float32Array(length);
  const line = new Float32Array(length);
  for (let k = 0; k < rows.from.length; k++) {
    addLine(data, rows.from[k]! * stride, channels, columns, line);
    const share = rows.share[k]!;
    for (let i = 0; i < length; i++) sums[i] = sums[i]! + Math.fround(share * line[i]!);
    const target = rows.to[k]!;
    if (k + 1 === rows.from.length || rows.to[k + 1] !== target) {
      for (let i = 0; i < length; i++) out[target * length + i] = roundHalfEven(sums[i]!);
      sums.fill(0);
    }
  }
  return { data: out, width, height, channels };
}

function addLine(
  data: Pixels["data"],
  start: number,
  channels: number,
  columns: Shares,
  line: Float32Array,
): void {
  line.fill(0);
  const { from, to, share } = columns;
  for (let k = 0; k < from.length; k++) {
    const source = start + from[k]! * channels;
    const target = to[k]! * channels;
    for (let c = 0; c < channels; c++) {
      line[target + c] = line[target + c]! + Math.fround(data[source + c]! * share[k]!);
    }
  }
}

/** Resizes by linear interpolation in fixed point (INTER_LINEAR). */
export function resizeLinear(image: Pixels, width: number, height: number): Pixels {
  const { channels } = image;
  const length = width * channels;
  const out = new Uint8ClampedArray(length * height);
  const columns = weights(image.width, width);
  const rows = weights(image.height, height);
  const upper = new Int32Array(length);
  const lower = new Int32Array(length);
  for (let y = 0; y < height; y++) {
    const row = rows.first[y]!;
    interpolateLine(image, clamp(row, image.height), columns, upper);
    interpolateLine(image, clamp(row + 1, image.height), columns, lower);
    const a = rows.weightOfFirst[y]!;
    const b = rows.weightOfSecond[y]!;
    for (let i = 0; i < length; i++) {
      const sum = ((a * (upper[i]! >> 4)) >> 16) + ((b * (lower[i]! >> 4)) >> 16);
      out[y * length + i] = (sum + 2) >> 2;
    }
  }
  return { data: out, width, height, channels };
}

/** Between which two source pixels each new one lies, and their weights in 2048ths. */
interface Weights {
  readonly first: Int32Array;
  readonly weightOfFirst: Int32Array;
  readonly weightOfSecond: Int32Array;
}

function weights(size: number, newSize: number): Weights {
  const scale = 1 / (newSize / size);
  const first = new Int32Array(newSize);
  const weightOfFirst = new Int32Array(newSize);
  const weightOfSecond = new Int32Array(newSize);
  for (let target = 0; target < newSize; target++) {
    const position = Math.fround((target + 0.5) * scale - 0.5);
    first[target] = Math.floor(position);
    const part = Math.fround(position - first[target]!);
    weightOfFirst[target] = roundHalfEven(Math.fround(Math.fround(1 - part) * 2048));
    weightOfSecond[target] = roundHalfEven(Math.fround(part * 2048));
  }
  return { first, weightOfFirst, weightOfSecond };
}

function interpolateLine(image: Pixels, row: number, columns: Weights, line: Int32Array): void {
  const { data, width, channels } = image;
  const start = row * width * channels;
  let at = 0;
  for (let x = 0; x < columns.first.length; x++) {
    const first = columns.first[x]!;
    const inside = first >= 0 && first < width - 1;
    const left = start + clamp(first, width) * channels;
    const a = inside ? columns.weightOfFirst[x]! : 2048;
    const b = inside ? columns.weightOfSecond[x]! : 0;
    for (let c = left; c < left + channels; c++) {
      line[at++] = data[c]! * a + (inside ? data[c + channels]! * b : 0);
    }
  }
}

function clamp(index: number, size: number): number {
  return Math.min(Math.max(index, 0), size - 1);
}
