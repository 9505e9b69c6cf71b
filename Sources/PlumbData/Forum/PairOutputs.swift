import FoundationEssentials
import Glibc
import PlumbCheckpoints

/// The files of pairs, one for each part, written in compressed frames that can be cut off again.
///
/// A frame ends after some megabytes and wherever ``endFrames()`` says, never by time: an
/// interrupted run that continues at such an end writes the same bytes.
struct PairOutputs {
  let names: [String]
  private let folder: URL
  private let compression: ForumPairOptions.Compression
  private var pending: [[UInt8]]
  /// Bytes of each file.
  private(set) var lengths: [Int]

  private static let frameByteCount = 4 << 20

  /// Files of `names` in `folder`, of `lengths` bytes.
  init(
    _ names: [String], in folder: URL, compression: ForumPairOptions.Compression, lengths: [Int]?
  ) {
    self.names = names
    self.folder = folder
    self.compression = compression
    pending = Array(repeating: [], count: names.count)
    self.lengths = lengths ?? Array(repeating: 0, count: names.count)
  }

  /// Cuts the files back to ``lengths``: what an interrupted run wrote behind them is lost.
  func cutBack() throws {
    for index in names.indices { try PartitionedFiles.cut(url(index), to: lengths[index]) }
  }

  /// The name of a finished file.
  func fileName(_ index: Int) -> String { "\(names[index]).\(compression.fileExtension)" }

  /// Appends a line to a file.
  mutating func write(_ line: [UInt8], to index: Int) throws {
    pending[index] += line
    if pending[index].count >= Self.frameByteCount { try endFrame(index) }
  }

  /// Writes what is pending, so that ``lengths`` say all.
  mutating func endFrames() throws { for index in names.indices { try endFrame(index) } }

  /// Gives the files their names in `target`; a file without pairs is written empty.
  ///
  /// May be called again after it was interrupted.
  func publish(to target: URL) throws {
    for index in names.indices {
      let destination = target.appending(path: fileName(index))
      var status = stat()
      if stat(url(index).path, &status) != 0 {
        if lengths[index] == 0 { try AtomicFile.write(Data(try frame([])), to: destination) }
        continue
      }
      truncate(url(index).path, lengths[index])
      try flush(url(index))
      guard rename(url(index).path, destination.path) == 0 else {
        throw PartitionedFiles.failure(destination.path, "write")
      }
    }
  }

  private func url(_ index: Int) -> URL { folder.appending(path: "pairs-\(names[index])") }

  private mutating func endFrame(_ index: Int) throws {
    guard !pending[index].isEmpty else { return }
    let bytes = try frame(pending[index])
    let path = url(index).path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw PartitionedFiles.failure(path, "open") }
    defer { close(descriptor) }
    try PartitionedFiles.write(bytes, to: descriptor, path)
    lengths[index] += bytes.count
    pending[index].removeAll(keepingCapacity: true)
  }

  private func frame(_ bytes: [UInt8]) throws -> [UInt8] {
    switch compression {
    case .zst: try Zstd.compress(bytes, level: 3)
    case .gz: try Gzip.compress(bytes, level: 6)
    case .none: bytes
    }
  }

  private func flush(_ url: URL) throws {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw PartitionedFiles.failure(url.path, "flush")
    }
    close(descriptor)
  }
}
