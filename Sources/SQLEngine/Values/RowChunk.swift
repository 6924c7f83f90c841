// SPDX-License-Identifier: Apache-2.0

/// The binary form of many rows, in a frame's body or a stream: `columns/1` of docs/SQL.md. Values of one column lie
/// together, so that a script language moves them with a few calls instead of one per value.
///
///     u32le length       bytes that follow it
///     u32le rows
///     u32le columns
///     per column: u8 kind, then
///       0 null    nothing
///       1 int     rows × i64le
///       2 real    rows × f64le
///       3 text    rows × u32le length, then the bytes
///       4 blob    as text
///       5 mixed   rows × u8 kind (0–4), i64le of each int, f64le of each real,
///                 u32le length of each text and blob, then their bytes; each in the order of the rows
///
/// Little-endian because that is what the typed arrays of Python and JavaScript hold on every machine in use.
package enum RowChunk {
  package enum Kind: UInt8, Sendable {
    case null = 0, int, real, text, blob
  }

  package static let mixed: UInt8 = 5
  /// Bytes before the first column.
  package static let headerBytes = 12
}
