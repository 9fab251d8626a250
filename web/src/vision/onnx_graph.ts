// Opens a fixed input size of an ONNX graph, so that a runtime takes pictures of any size.
//
// YuNet's file declares 1 × 3 × 640 × 640, though nothing in its graph depends on that: Python runs
// it at the picture's own size, and so must the page to find the same faces. This rewrites the
// declarations only (input, outputs, intermediate shapes); every node and weight stays as it is.
// Field numbers are those of onnx.proto3.

const MODEL_GRAPH = 7;
const GRAPH_INPUT = 11;
const GRAPH_OUTPUT = 12;
const GRAPH_VALUE_INFO = 13;
const VALUE_NAME = 1;
const VALUE_TYPE = 2;
const TYPE_TENSOR = 1;
const TENSOR_ELEMENT = 1;
const TENSOR_SHAPE = 2;
const SHAPE_DIMENSION = 1;
const DIMENSION_VALUE = 1;
const DIMENSION_NAME = 2;
const FLOAT = 1;

/** Returns the model with an input of 1 × 3 × height × width for any height and width. */
export function openInputSize(model: Uint8Array): Uint8Array {
  return mapFields(model, (field, bytes) =>
    field === MODEL_GRAPH ? [message(MODEL_GRAPH, openGraph(bytes))] : undefined,
  );
}

function openGraph(graph: Uint8Array): Uint8Array {
  return mapFields(graph, (field, bytes) => {
    if (field === GRAPH_VALUE_INFO) return [];
    if (field === GRAPH_INPUT) return [message(field, openValue(bytes, pictureShape()))];
    if (field === GRAPH_OUTPUT) return [message(field, openValue(bytes, undefined))];
    return undefined;
  });
}

function openValue(value: Uint8Array, shape: Uint8Array | undefined): Uint8Array {
  const tensor = [varint(TENSOR_ELEMENT, FLOAT)];
  if (shape) tensor.push(message(TENSOR_SHAPE, shape));
  return mapFields(value, (field) => {
    if (field === VALUE_NAME) return undefined;
    if (field === VALUE_TYPE) return [message(field, message(TYPE_TENSOR, concat(tensor)))];
    return [];
  });
}

function pictureShape(): Uint8Array {
  const fixed = (size: number) => message(SHAPE_DIMENSION, varint(DIMENSION_VALUE, size));
  const free = (name: string) =>
    message(SHAPE_DIMENSION, message(DIMENSION_NAME, new TextEncoder().encode(name)));
  return concat([fixed(1), fixed(3), free("height"), free("width")]);
}

/**
 * Copies a protobuf message field by field; `change` gives the fields to put in a length-delimited
 * one's place, or undefined to keep it.
 */
function mapFields(
  bytes: Uint8Array,
  change: (field: number, content: Uint8Array) => Uint8Array[] | undefined,
): Uint8Array {
  const out: Uint8Array[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("The ONNX file breaks off.");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = readVarint();
    const wireType = tag & 7;
    if (wireType === 0) readVarint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = readVarint();
      const content = bytes.subarray(at, at + length);
      at += length;
      const changed = change(tag >>> 3, content);
      if (changed) {
        out.push(...changed);
        continue;
      }
    } else throw new Error("The file is no ONNX model.");
    out.push(bytes.subarray(start, at));
  }
  return concat(out);
}

function message(field: number, content: Uint8Array): Uint8Array {
  return concat([encodeVarint((field << 3) | 2), encodeVarint(content.length), content]);
}

function varint(field: number, value: number): Uint8Array {
  return concat([encodeVarint(field << 3), encodeVarint(value)]);
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  while (value >= 0x80) {
    bytes.push((value % 0x80) | 0x80);
    value = Math.floor(value / 0x80);
  }
  bytes.push(value);
  return Uint8Array.from(bytes);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
