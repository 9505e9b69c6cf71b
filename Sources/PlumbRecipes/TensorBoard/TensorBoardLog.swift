import Foundation
import SwiftProtobuf

/// A stage's metrics as a TensorBoard event file: `tensorboard/NAME/events.out.tfevents.…` of a run.
///
/// The file holds exactly what the stage's `metrics.jsonl` holds, record by line, and is made anew from
/// it when the stage is continued: no step comes twice, and a run that is stopped and resumed ends in
/// the same bytes. For that there is no clock in it: `wall_time` is the step, in seconds.
///
/// A record is the length as UInt64, its masked CRC-32C, the message, and the message's masked CRC-32C, all
/// little-endian (TensorFlow's record format).
final class TensorBoardLog {
  private let url: URL
  /// Open once there is something to write: a stage without metrics has no file.
  private var file: FileHandle?

  /// TensorBoard reads every file with `tfevents` in its name.
  static let fileName = "events.out.tfevents.0000000000.plumb"

  /// The event file of a stage.
  static func url(of stage: String, in run: URL) -> URL {
    run.appending(path: RunLayout.tensorBoardName).appending(path: stage)
      .appending(path: fileName)
  }

  /// Writes a file anew from a metrics file, which need not exist, and goes on at its end.
  ///
  /// - Throws: `RunError` where the metrics are not readable or the file cannot be written.
  init(_ url: URL, metrics: URL) throws {
    self.url = url
    try RunFiles.remove(url)
    guard FileManager.default.fileExists(atPath: metrics.path) else { return }
    let lines = try MetricsLog.lines(of: metrics)
    guard !lines.isEmpty else { return }
    try open(with: lines.reduce(into: Data()) { $0 += Self.record(step: $1.step, $1.values) })
  }

  deinit { try? file?.close() }

  /// Adds the scalars of a step; those that are not finite are left out, as `metrics.jsonl` has them null.
  func append(step: Int, _ values: [String: Double]) throws {
    let record = Self.record(step: step, values)
    guard let file else { return try open(with: record) }
    do { try file.write(contentsOf: record) } catch { throw RunError.file(url, "write", error) }
  }

  /// Makes the file with what every event file begins with and some records.
  private func open(with records: Data) throws {
    try RunFiles.createFolder(url.deletingLastPathComponent())
    try RunFiles.write(Self.record(.with { $0.fileVersion = "brain.Event:2" }) + records, to: url)
    do {
      let handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
      file = handle
    } catch {
      throw RunError.file(url, "write", error)
    }
  }

  private static func record(step: Int, _ values: [String: Double]) -> Data {
    record(
      .with { event in
        event.wallTime = Double(step)
        event.step = Int64(step)
        event.summary.value = values.sorted { $0.key < $1.key }.filter { $0.value.isFinite }.map {
          metric in
          .with {
            $0.tag = metric.key
            $0.simpleValue = Float(metric.value)
          }
        }
      })
  }

  /// A framed message.
  private static func record(_ event: TensorBoardEvent) -> Data {
    // Only a message with a required field that is missing throws, and ours have none.
    guard let message: Data = try? event.serializedBytes() else { return Data() }
    let length = littleEndian(UInt64(message.count))
    return length + littleEndian(CRC32C.masked(length)) + message
      + littleEndian(CRC32C.masked(message))
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> Data {
    withUnsafeBytes(of: value.littleEndian) { Data($0) }
  }
}
