public import Foundation

/// Files that tests read, found relative to this source file.
public enum Fixtures {
  /// `Tests/Fixtures`.
  public static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures", directoryHint: .isDirectory)

  /// The file or folder at `path` under `Tests/Fixtures`, for example `golden/qwen2`.
  ///
  /// Traps when there is none, so that a misspelt name never looks like an empty case.
  public static func url(_ path: String) -> URL {
    let url = root.appending(path: path)
    precondition(
      FileManager.default.fileExists(atPath: url.path(percentEncoded: false)),
      "Fixtures.url: nothing at \(url.path(percentEncoded: false))")
    return url
  }
}

/// Runs `body` with an empty folder that is removed afterwards.
public func withTemporaryDirectory<R>(_ body: (URL) throws -> R) throws -> R {
  let directory = FileManager.default.temporaryDirectory
    .appending(path: "plumb-test-\(UUID().uuidString)", directoryHint: .isDirectory)
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  return try body(directory)
}
