import FoundationEssentials
import Glibc
import PlumbCheckpoints

/// What is known of a post without its texts; has no padding, so that it is stored as it lies.
struct PostMeta {
  /// Which posts belong together: a site, or all of Reddit.
  var space: UInt64
  var thread: UInt64
  var key: UInt64
  var acceptedKey: UInt64
  /// 1: an answer; 2: accepted itself; 4: text, no HTML.
  var flags: UInt64
  var score: Int64
  var time: Int64
  /// The place among all posts, in the order of the inputs.
  var ordinal: UInt64
  /// The hash of the normalised question.
  var textHash: UInt64
  /// Where the texts begin in the partition's file of texts.
  var offset: UInt64
  var length: UInt64

  var isAnswer: Bool { flags & 1 != 0 }
  var markup: ForumPost.Markup { flags & 4 != 0 ? .text : .html }
}

/// Posts on their way from dumps to threads: spread over partitions so that a question and its
/// answers meet in one, and each partition is small.
struct PostSpill {
  let partitionCount: Int
  private(set) var metas: PartitionedFiles
  private(set) var texts: PartitionedFiles
  /// Hash and name of every question, by hash, to find those that say the same.
  private(set) var keys: PartitionedFiles

  /// The lengths of all files, to continue from.
  struct Lengths: Codable {
    var metas: [Int]
    var texts: [Int]
    var keys: [Int]
  }

  /// The files in `folder`; `lengths` are those of an interrupted run.
  init(in folder: URL, partitionCount: Int, lengths: Lengths? = nil) throws {
    self.partitionCount = partitionCount
    metas = try PartitionedFiles(
      "posts", in: folder, count: partitionCount, memory: 24 << 20, lengths: lengths?.metas)
    texts = try PartitionedFiles(
      "texts", in: folder, count: partitionCount, memory: 48 << 20, lengths: lengths?.texts)
    keys = try PartitionedFiles(
      "keys", in: folder, count: partitionCount, memory: 16 << 20, lengths: lengths?.keys)
  }

  var lengths: Lengths {
    Lengths(metas: metas.lengths, texts: texts.lengths, keys: keys.lengths)
  }

  /// The partition of a thread.
  static func partition(space: UInt64, thread: UInt64, of count: Int) -> Int {
    Int(StableHash.mixed(thread ^ StableHash.mixed(space)) % UInt64(count))
  }

  /// Adds a post; `ordinal` counts posts over all inputs.
  mutating func add(_ post: ForumPost, space: UInt64, ordinal: Int) throws {
    let partition = Self.partition(space: space, thread: post.thread, of: partitionCount)
    var meta = PostMeta(
      space: space, thread: post.thread, key: post.key, acceptedKey: post.acceptedKey,
      flags: (post.isAnswer ? 1 : 0) | (post.isAccepted ? 2 : 0) | (post.markup == .text ? 4 : 0),
      score: Int64(post.score), time: post.time, ordinal: UInt64(ordinal), textHash: 0,
      offset: UInt64(texts.lengths[partition]), length: 0)
    try texts.append(to: partition) { buffer in
      for part in [post.id, post.text] { Self.put(part, into: &buffer) }
      Self.put(post.license, into: &buffer)
      guard !post.isAnswer else { return }
      Self.put(post.title, into: &buffer)
      Self.put(post.site, into: &buffer)
    }
    meta.length = UInt64(texts.lengths[partition]) - meta.offset
    if !post.isAnswer {
      var hasher = NormalisedTextHasher(isHTML: false)
      hasher.consume(post.title)
      hasher.isHTML = post.markup == .html
      hasher.consume(post.text)
      meta.textHash = hasher.value
      // Questions without a word have nothing to compare.
      if hasher.wordCount > 0 {
        let key = QuestionKey(
          hash: meta.textHash, ordinal: meta.ordinal, space: space, thread: post.thread)
        let target = Int(meta.textHash % UInt64(partitionCount))
        try keys.append(to: target) { buffer in
          withUnsafeBytes(of: key) { buffer.append(contentsOf: $0) }
        }
      }
    }
    try metas.append(to: partition) { buffer in
      withUnsafeBytes(of: meta) { buffer.append(contentsOf: $0) }
    }
  }

  /// Writes everything that is buffered.
  mutating func flush() throws {
    // Texts first: a post whose text is missing must never be found.
    try texts.flush()
    try metas.flush()
    try keys.flush()
  }

  private static func put(_ bytes: [UInt8], into buffer: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { buffer.append(contentsOf: $0) }
    buffer += bytes
  }
}

/// A question by what it says.
struct QuestionKey {
  var hash: UInt64
  var ordinal: UInt64
  var space: UInt64
  var thread: UInt64
}

/// The texts of one partition, read post by post.
final class PostTexts {
  private let descriptor: Int32
  private let path: String
  private var record: [UInt8] = []

  init(_ url: URL) throws {
    path = url.path
    descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PartitionedFiles.failure(path, "open") }
    // All of it will be read, in the order of threads.
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_WILLNEED)
  }

  deinit { close(descriptor) }

  /// The parts of a post: id, text, licence, and of a question title and site.
  func parts(of meta: PostMeta) throws -> [[UInt8]] {
    let count = Int(meta.length)
    if record.count < count { record = Array(repeating: 0, count: max(count, 1 << 16)) }
    var done = 0
    try record.withUnsafeMutableBytes { bytes in
      while done < count, let base = bytes.baseAddress {
        let read = pread(descriptor, base + done, count - done, off_t(Int(meta.offset) + done))
        if read > 0 {
          done += read
        } else if read == 0 || errno != EINTR {
          throw DataError(
            .invalidSetting, file: path, "the work of this run is damaged",
            expected: "\(count) bytes at \(meta.offset)", found: "\(done)")
        }
      }
    }
    var parts: [[UInt8]] = []
    var place = 0
    while place + 4 <= count {
      let length = record.withUnsafeBytes {
        Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
      }
      place += 4
      parts.append(Array(record[place..<min(place + length, count)]))
      place += length
    }
    return parts
  }
}

extension PartitionedFiles {
  /// The records of a partition's file, which must have been flushed.
  func records<Record: BitwiseCopyable>(_ partition: Int, as type: Record.Type) throws -> [Record] {
    guard lengths[partition] > 0 else { return [] }
    let bytes = try ByteReader.readRaw(url(partition), byteCount: lengths[partition])
    let size = MemoryLayout<Record>.stride
    return bytes.withUnsafeBytes { bytes in
      (0..<(bytes.count / size)).map {
        bytes.loadUnaligned(fromByteOffset: $0 * size, as: Record.self)
      }
    }
  }
}
