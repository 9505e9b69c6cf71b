import Foundation

/// A `.jsonl` file of named values, one object a line: `{"stage":"sft","step":3,"loss":2.1}`.
///
/// Names are sorted and doubles take their shortest form, so equal values give equal bytes.
final class MetricsLog {
  private let files: [(url: URL, handle: FileHandle)]
  private let events: TensorBoardLog?
  /// Bytes in the first file.
  private(set) var length: Int

  /// Opens files to append to, creating those that are missing; each line goes to all of them.
  ///
  /// - Parameter events: gets the same values for TensorBoard.
  init(_ urls: [URL], events: TensorBoardLog? = nil) throws {
    self.events = events
    files = try urls.map { url in
      do {
        if !FileManager.default.fileExists(atPath: url.path) { try Data().write(to: url) }
        let handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
        return (url, handle)
      } catch {
        throw RunError.file(url, "write", error)
      }
    }
    length = urls.first.flatMap(RunFiles.size(of:)) ?? 0
  }

  deinit { for file in files { try? file.handle.close() } }

  func append(stage: String, step: Int, _ values: [String: Double]) throws {
    try append(Self.line(stage: stage, step: step, values))
    try events?.append(step: step, values)
  }

  /// Brings everything down to the disk, before a checkpoint counts on it.
  func synchronize() throws {
    for file in files {
      do { try file.handle.synchronize() } catch { throw RunError.file(file.url, "write", error) }
    }
  }

  private func append(_ line: String) throws {
    let data = Data(line.utf8)
    for file in files {
      do {
        try file.handle.write(contentsOf: data)
      } catch {
        throw RunError.file(file.url, "write", error)
      }
    }
    length += data.count
  }

  static func line(stage: String, step: Int, _ values: [String: Double]) -> String {
    var text = "{\"stage\":\(JSONText.string(stage)),\"step\":\(step)"
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      text += ",\(JSONText.string(name)):\(JSONText.number(value))"
    }
    return text + "}\n"
  }

  /// One metric over the steps of a metrics file, in order; lines without it are left out.
  static func series(_ name: String, in url: URL) throws -> [(step: Int, value: Double)] {
    try lines(of: url).compactMap { line in line.values[name].map { (line.step, $0) } }
  }

  /// The lines of a metrics file with the values that are numbers.
  static func lines(of url: URL) throws -> [(stage: String, step: Int, values: [String: Double])] {
    let data: Data
    do { data = try Data(contentsOf: url) } catch { throw RunError.file(url, "read", error) }
    return try data.split(separator: UInt8(ascii: "\n")).map { line in
      guard
        var object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
        let step = object.removeValue(forKey: "step") as? NSNumber
      else { throw RunError.damaged(path: url.relativePath, detail: "a line is not JSON") }
      let stage = object.removeValue(forKey: "stage") as? String ?? ""
      return (
        stage, step.intValue, object.compactMapValues { ($0 as? NSNumber)?.doubleValue }
      )
    }
  }
}

/// JSON text by hand, where the order of keys matters.
enum JSONText {
  /// The shortest text that reads back as the same double; `null` for infinities and NaN.
  static func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }

  static func string(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
