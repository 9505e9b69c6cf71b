import Foundation
import Glibc
import PlumbTestSupport
import Testing

@testable import PlumbCheckpoints

@Suite struct AtomicFileTests {
  @Test func writesAndReplaces() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "a.txt")
      try AtomicFile.write("one", to: url)
      try AtomicFile.write("two", to: url)
      #expect(try String(contentsOf: url, encoding: .utf8) == "two")
      #expect(try names(in: folder) == ["a.txt"])
    }
  }

  @Test func droppedWriterLeavesTheOldContent() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "a.txt")
      try AtomicFile.write("old", to: url)
      do {
        let writer = try AtomicFileWriter(to: url)
        try writer.append(Array(repeating: 65, count: 1 << 20))
        #expect(try names(in: folder).count == 2)
      }
      #expect(try names(in: folder) == ["a.txt"])
      #expect(try String(contentsOf: url, encoding: .utf8) == "old")
    }
  }

  @Test func saysWhyItCannotWrite() throws {
    try withTemporaryDirectory { folder in
      let noFolder = folder.appending(path: "none/a.txt")
      let missing = checkpointError { try AtomicFile.write("x", to: noFolder) }
      #expect(missing?.kind == .unwritable)
      #expect(missing?.path == noFolder.path)
      #expect(missing?.description.contains("No such file or directory") == true)
      let directory = checkpointError { try AtomicFile.write("x", to: folder) }
      #expect(directory?.found == "a directory")
      let file = folder.appending(path: "file")
      try AtomicFile.write("x", to: file)
      let under = checkpointError { try AtomicFile.write("x", to: file.appending(path: "y")) }
      #expect(under?.description.contains("Not a directory") == true)
    }
  }

  /// `/sys` takes no files, whoever asks.
  @Test func refusesAFolderThatTakesNoFiles() throws {
    let url = URL(filePath: "/sys/plumb-test")
    let error = checkpointError { try AtomicFile.write("x", to: url) }
    #expect(error?.kind == .unwritable)
    #expect(error?.path == url.path)
  }

  /// `/dev/full` answers every write as a full disk does.
  @Test func fullDiskIsNamed() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let error = checkpointError {
      try [UInt8](repeating: 1, count: 10).withUnsafeBytes {
        try writeAll($0, to: descriptor, path: "weights.safetensors")
      }
    }
    #expect(
      error?.description == "weights.safetensors: cannot write: No space left on device")
  }

  @Test func longNamesWork() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: String(repeating: "n", count: 255))
      try AtomicFile.write("x", to: url)
      let tooLong = folder.appending(path: String(repeating: "n", count: 256))
      let error = checkpointError { try AtomicFile.write("x", to: tooLong) }
      #expect(error?.description.contains("File name too long") == true)
      #expect(try names(in: folder).count == 1)
    }
  }

  @Test func removesLeftoversOfDeadProcessesOnly() throws {
    try withTemporaryDirectory { folder in
      // Process 1 lives; no Linux process has a number above 2^22.
      for name in [".a.1-5.partial", ".b.8388607-1.partial", "c.partial", ".d.x-1.partial"] {
        try AtomicFile.write("x", to: folder.appending(path: name))
      }
      try AtomicFile.removeLeftovers(in: folder)
      #expect(try names(in: folder) == [".a.1-5.partial", ".d.x-1.partial", "c.partial"])
    }
  }

  @Test func directoryAppearsWhole() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "step-000001", directoryHint: .isDirectory)
      for content in ["one", "two"] {
        try AtomicDirectory.write(to: url) { temporary in
          try FileManager.default.createDirectory(
            at: temporary.appending(path: "sub"), withIntermediateDirectories: false)
          try AtomicFile.write(content, to: temporary.appending(path: "sub/a.txt"))
          try AtomicFile.write(content, to: temporary.appending(path: "only-\(content)"))
        }
        #expect(try names(in: folder) == ["step-000001"])
        #expect(try names(in: url) == ["only-\(content)", "sub"])
        let text = try String(contentsOf: url.appending(path: "sub/a.txt"), encoding: .utf8)
        #expect(text == content)
      }
    }
  }

  @Test func failedDirectoryLeavesTheOldOne() throws {
    struct Stop: Error {}
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "checkpoint")
      try AtomicDirectory.write(to: url) {
        try AtomicFile.write("old", to: $0.appending(path: "a"))
      }
      #expect(throws: Stop.self) {
        try AtomicDirectory.write(to: url) { temporary in
          try AtomicFile.write("new", to: temporary.appending(path: "b"))
          throw Stop()
        }
      }
      #expect(try names(in: folder) == ["checkpoint"])
      #expect(try names(in: url) == ["a"])
      let error = checkpointError {
        try AtomicDirectory.write(to: folder.appending(path: "none/x")) { _ in }
      }
      #expect(error?.kind == .unwritable)
    }
  }
}
