public import FoundationEssentials
import Glibc

/// Files that are either there in full or not at all.
public enum AtomicFile {
  /// Writes `data` to `url` through a hidden file in the same folder, flushed and renamed.
  ///
  /// Throws ``CheckpointError`` with the system's reason ("No space left on device"); the old
  /// content, if any, is then untouched and the hidden file is gone.
  public static func write(_ data: Data, to url: URL) throws {
    let writer = try AtomicFileWriter(to: url)
    try data.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// Writes `text` as UTF-8; see ``write(_:to:)-(Data,_)``.
  public static func write(_ text: String, to url: URL) throws {
    try write(Data(text.utf8), to: url)
  }

  /// Removes what killed processes left half-written in `folder`.
  public static func removeLeftovers(in folder: URL) throws {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw CheckpointError(.unreadable, path: folder.path, "cannot list the folder")
    }
    for name in names where Partial.isLeftover(name) {
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }
}

/// Folders that are either there in full or not at all.
public enum AtomicDirectory {
  /// Fills a hidden folder by `body`, flushes it, and gives it the name `url`.
  ///
  /// A folder that was there before is moved aside just before and removed after; if `body` or the
  /// system throws, the hidden folder is removed and the old one is back in its place.
  public static func write<Result>(to url: URL, _ body: (URL) throws -> Result) throws -> Result {
    let (path, _) = try Partial.claim(beside: url) { mkdir($0, 0o777) }
    let temporary = URL(filePath: path, directoryHint: .isDirectory)
    defer { try? FileManager.default.removeItem(at: temporary) }
    let result = try body(temporary)
    try flush(temporary, reportedAs: url)
    // Not named as a leftover: between the two renames it is the only copy of the old content.
    let aside = path + ".replaced"
    let target = trimmed(url.path)
    let replaces = rename(target, aside) == 0
    guard replaces || errno == ENOENT else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "replace the folder")
    }
    guard rename(path, target) == 0 else {
      let error = CheckpointError.system(errno, .unwritable, path: url.path, "write the folder")
      if replaces { rename(aside, target) }
      throw error
    }
    if replaces { try? FileManager.default.removeItem(atPath: aside) }
    try Partial.flushFolder(of: url)
    return result
  }

  private static func trimmed(_ path: String) -> String {
    path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  /// Flushes every file and folder under `folder` to the disk.
  private static func flush(_ folder: URL, reportedAs url: URL) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    for name in names.sorted() {
      let child = folder.appending(path: name)
      var isDirectory = false
      if FileManager.default.fileExists(atPath: child.path, isDirectory: &isDirectory), isDirectory
      {
        try flush(child, reportedAs: url)
      } else {
        try flushOne(child.path, reportedAs: url)
      }
    }
    try flushOne(folder.path, reportedAs: url)
  }

  private static func flushOne(_ path: String, reportedAs url: URL) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "flush to disk")
    }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "flush to disk")
    }
  }
}
