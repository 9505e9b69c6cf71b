import Foundation
import Glibc
import Testing

@testable import PlumbRecipes

/// When a file is read again, and when its digest is taken from before.
@Suite struct FileDigestsTests {
  private let old = Date(timeIntervalSinceNow: -3600)

  private func write(_ text: String, to url: URL, modified: Date?) throws {
    try Data(text.utf8).write(to: url)
    guard let modified else { return }
    try FileManager.default.setAttributes([.modificationDate: modified], ofItemAtPath: url.path)
  }

  /// Size and time of modification say whether a file that was left alone is what it was.
  @Test func aFileIsReadAgainOnlyIfItChanged() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "weights")
    func digest(_ text: String, modified: Date?) throws -> String {
      try write(text, to: url, modified: modified)
      return try FileDigests.digest(of: url)
    }
    let first = try digest("abc", modified: old)
    let unseen = try digest("xyz", modified: old)
    let longer = try digest("wxyz", modified: old)
    let later = try digest("abcd", modified: old + 1)
    #expect(first == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(unseen == first)
    #expect(Set([first, longer, later]).count == 3)
  }

  /// Models of one shape have one size, and whoever moves a file leaves its time.
  @Test func aFileThatIsPutInItsPlaceIsRead() throws {
    let folder = try TemporaryFolder()
    let (url, other) = (
      folder.url.appending(path: "weights"), folder.url.appending(path: "other")
    )
    try write("abc", to: url, modified: old)
    try write("xyz", to: other, modified: old)
    let first = try FileDigests.digest(of: url)
    let status = rename(other.path, url.path)
    try #require(status == 0)
    let second = try FileDigests.digest(of: url)
    #expect(first != second)
  }

  /// Two versions within one step of the file system's clock have one time of modification.
  @Test func aFileOfThisMomentIsAlwaysRead() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "weights")
    let now = Date()
    try write("one", to: url, modified: now)
    let first = try FileDigests.digest(of: url)
    try write("two", to: url, modified: now)
    let second = try FileDigests.digest(of: url)
    #expect(first != second)
  }

  @Test func aLinkCountsAsTheFileBehindIt() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "blob")
    let link = folder.url.appending(path: "model.safetensors")
    try write("one", to: file, modified: old)
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    // The link itself has been left alone for long, too.
    let time = timespec(tv_sec: 1_600_000_000, tv_nsec: 0)
    let status = utimensat(AT_FDCWD, link.path, [time, time], AT_SYMLINK_NOFOLLOW)
    try #require(status == 0)
    let first = try FileDigests.digest(of: link)
    try write("three", to: file, modified: old)
    let second = try FileDigests.digest(of: link)
    #expect(first != second)
  }
}
