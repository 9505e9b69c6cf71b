import Foundation

/// A folder of a stage that outlives an interruption: each checkpoint holds it too.
///
/// A stage that is continued finds its own folder cleared, so what was written before must come back
/// from the checkpoint. Files are linked, not copied, where the file system can: they must be
/// replaced, never changed in place (`AtomicFile` and all model writers do so).
struct KeptFolder {
  /// Where the stage writes, and where later stages read.
  let url: URL

  init(_ name: String, of context: StageContext) {
    url = context.directory.appending(path: name, directoryHint: .isDirectory)
  }

  /// `cells`, with a folder for each cell of the stage that writes one; see ``CellRunner``.
  static func cells(of context: StageContext) -> KeptFolder { KeptFolder("cells", of: context) }

  /// Puts the folder's files into a checkpoint that is being written.
  func save(into checkpoint: URL) throws {
    try Self.link(url, to: checkpoint.appending(path: url.lastPathComponent))
  }

  /// Puts the files of a checkpoint back into the stage's folder.
  func restore(from checkpoint: URL) throws {
    try Self.link(checkpoint.appending(path: url.lastPathComponent), to: url)
  }

  private static func link(_ source: URL, to target: URL) throws {
    for path in try RunFiles.filesBelow(source) {
      let copy = target.appending(path: path)
      try RunFiles.createFolder(copy.deletingLastPathComponent())
      let original = source.appending(path: path)
      do {
        do {
          try FileManager.default.linkItem(at: original, to: copy)
        } catch {
          try FileManager.default.copyItem(at: original, to: copy)
        }
      } catch {
        throw RunError.file(copy, "write", error)
      }
    }
  }
}
