// How a head is turned, from five landmarks of its face: mien.faces.angles in Python.

/** All are 0 where the head looks straight into the camera; null where the landmarks do not tell. */
export interface HeadAngles {
  /** Above 0 it looks to the right of the picture. */
  readonly yaw_degrees: number | null;
  /** Above 0 it looks up. */
  readonly pitch_degrees: number | null;
  /** Above 0 it is turned clockwise within the picture. */
  readonly roll_degrees: number | null;
}

// The pseudo-inverse of the mean face about its middle, a row of three for each landmark.
const FIT = [
  [-0.098711, -0.064167, 0.064650],
  [0.098711, -0.064167, 0.064650],
  [0, -0.032888, -0.280148],
  [-0.076939, 0.080611, 0.075425],
  [0.076939, 0.080611, 0.075425],
] as const;

/** Fits a mean face to landmarks: x and y of eyes, nose and corners of the mouth. */
export function headAngles(landmarks: readonly number[]): HeadAngles {
  const at = Float32Array.from(landmarks);
  const isOnePoint = at[6] === at[8] && at[7] === at[9];
  const rowOf = (axis: 0 | 1) =>
    [0, 1, 2].map((column) => FIT.reduce((sum, row, i) => sum + row[column]! * (at[2 * i + axis]! - at[axis]!), 0));
  const [x, y] = [rowOf(0), rowOf(1)];
  const [a, b, c] = [dot(x, x), dot(x, y), dot(y, y)];
  const area = Math.sqrt(Math.max(a * c - b * b, 0));
  if (isOnePoint || area <= 1e-6 * (a + c)) {
    return { yaw_degrees: null, pitch_degrees: null, roll_degrees: null };
  }
  // The nearest two rows of a rotation: the polar factor.
  const size = area * Math.sqrt(a + c + 2 * area);
  const across = x.map((value, i) => ((c + area) * value - b * y[i]!) / size) as Row;
  const down = y.map((value, i) => ((a + area) * value - b * x[i]!) / size) as Row;
  const [rightZ, downZ, awayZ] = cross(across, down);
  return {
    yaw_degrees: degrees(Math.atan2(rightZ, awayZ)),
    pitch_degrees: -degrees(Math.asin(Math.min(Math.max(downZ, -1), 1))),
    roll_degrees: degrees(Math.atan2(-across[1], down[1])),
  };
}

type Row = [number, number, number];

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function cross(a: Row, b: Row): Row {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI;
}
