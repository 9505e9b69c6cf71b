import Foundation
import PlumbTokenizers
import Synchronization

/// SHA-256 of files, each read once in a process: a model of several stages and judges is large.
///
/// A file counts as unchanged while it is the same one on the disk, of the same size and time of
/// modification: models of one shape have one size, and a file that is moved or copied may keep its
/// time. That time has steps of some milliseconds, and a file that is written twice in one step looks
/// the same; so only the digest of a file that has been left alone for a while is kept.
enum FileDigests {
  /// A file as it was before it was read.
  private struct State: Equatable {
    var size: Int
    var modified: Date
    /// Its number on the disk (inode), which a file that is put in its place does not have.
    var number: Int?
  }

  private static let known = Mutex<[String: (state: State, digest: String)]>([:])
  /// Seconds since the last modification after which a digest is kept.
  private static let settled = 2.0

  /// 64 hexadecimal digits; throws `RunError.file`.
  static func digest(of url: URL) throws -> String {
    // A link has a size and a time of its own, which say nothing of the file.
    let file = url.resolvingSymlinksInPath()
    let state = state(of: file)
    if let state, let found = known.withLock({ $0[file.path] }), found.state == state {
      return found.digest
    }
    // Before it is read: what changes it from now on gives it another time.
    let isSettled = state.map { $0.modified.timeIntervalSinceNow < -settled } ?? false
    let digest = try read(url)
    if let state, isSettled { known.withLock { $0[file.path] = (state, digest) } }
    return digest
  }

  private static func state(of file: URL) -> State? {
    let found = try? FileManager.default.attributesOfItem(atPath: file.path)
    guard let size = found?[.size] as? NSNumber, let modified = found?[.modificationDate] as? Date
    else { return nil }
    let number = found?[.systemFileNumber] as? NSNumber
    return State(size: size.intValue, modified: modified, number: number?.intValue)
  }

  private static func read(_ url: URL) throws -> String {
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      var hash = SHA256()
      while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
        chunk.withUnsafeBytes { hash.update($0) }
      }
      return hash.hexadecimalDigest()
    } catch {
      throw RunError.file(url, "read", error)
    }
  }
}
