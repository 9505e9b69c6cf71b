public import Foundation
import PlumbModels
import PlumbTokenizers

/// SHA-256 of things that decide a result: settings, input files, seeds.
public struct Fingerprint: Sendable {
  private var hash = SHA256()

  /// The fingerprint of nothing yet.
  public init() {}

  /// Adds a text, with its length, so that "ab","c" differs from "a","bc".
  public mutating func add(_ text: String) {
    hash.update("\(text.utf8.count):")
    hash.update(text)
  }

  /// The fingerprint of texts, in order.
  static func of(_ texts: [String]) -> String {
    var fingerprint = Fingerprint()
    for text in texts { fingerprint.add(text) }
    return fingerprint.text
  }

  /// Adds whole numbers, with how many they are.
  mutating func add(_ numbers: [Int32]) {
    hash.update("\(numbers.count):")
    numbers.map(\.littleEndian).withUnsafeBytes { hash.update($0) }
  }

  /// Adds the content of a file, or of all files of a folder with their names in order; of a LoRA
  /// adapter's folder, also that of the base.
  ///
  /// - Throws: `RunError.file`.
  public mutating func add(contentsOf url: URL) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    guard exists, isFolder.boolValue else {
      add(try FileDigests.digest(of: url))
      return
    }
    for path in try RunFiles.filesBelow(url) {
      add(path)
      add(try FileDigests.digest(of: url.appending(path: path)))
    }
    // What an adapter computes depends on its base as well.
    if AdapterFolder.isAdapter(url) { try add(contentsOf: AdapterFolder(url).base) }
  }

  /// 64 hexadecimal digits.
  public var text: String { hash.hexadecimalDigest() }
}
