public import FoundationEssentials

/// The weights of a Hugging Face folder: one `model.safetensors`, or several files with an index.
public struct ShardedSafetensors: Sendable {
  /// The folder.
  public let directory: URL
  /// The files in the order of their names.
  public let files: [SafetensorsFile]
  private let fileOfName: [String: Int]

  static let singleName = "model.safetensors"
  static let indexName = "model.safetensors.index.json"

  /// Opens the folder; throws ``CheckpointError`` if files, or tensors that the index names, lack.
  public init(directory: URL) throws {
    self.directory = directory
    let manager = FileManager.default
    let single = directory.appending(path: Self.singleName)
    let index = directory.appending(path: Self.indexName)
    if manager.fileExists(atPath: single.path) {
      let file = try SafetensorsFile(contentsOf: single)
      files = [file]
      fileOfName = Dictionary(uniqueKeysWithValues: file.names.map { ($0, 0) })
    } else if manager.fileExists(atPath: index.path) {
      (files, fileOfName) = try Self.open(index, in: directory)
    } else {
      throw CheckpointError(
        .missing, path: directory.path, "no weights in this folder",
        expected: "\(Self.singleName) or \(Self.indexName)",
        found: manager.fileExists(atPath: directory.path) ? "neither" : "no such folder")
    }
  }

  /// The names of all tensors, sorted.
  public var names: [String] { fileOfName.keys.sorted() }

  /// The metadata of the first file.
  public var metadata: [String: String] { files.first?.metadata ?? [:] }

  /// True if a tensor has this name.
  public func contains(_ name: String) -> Bool { fileOfName[name] != nil }

  /// The shape of a tensor, nil if there is none of this name.
  public func shape(of name: String) -> [Int]? {
    fileOfName[name].flatMap { files[$0].shape(of: name) }
  }

  /// The element type of a tensor, nil if there is none of this name.
  public func type(of name: String) -> ElementType? {
    fileOfName[name].flatMap { files[$0].type(of: name) }
  }

  /// The values of a tensor as single precision; see ``SafetensorsFile/floats(named:shape:)``.
  public func floats(named name: String, shape: [Int]? = nil) throws -> [Float] {
    try file(of: name).floats(named: name, shape: shape)
  }

  /// The values of an integer tensor; see ``SafetensorsFile/integers(named:shape:)``.
  public func integers(named name: String, shape: [Int]? = nil) throws -> [Int] {
    try file(of: name).integers(named: name, shape: shape)
  }

  private func file(of name: String) throws -> SafetensorsFile {
    guard let index = fileOfName[name] else {
      throw CheckpointError(.missing, path: directory.path, "there is no tensor '\(name)'")
    }
    return files[index]
  }

  private static func open(
    _ index: URL, in directory: URL
  ) throws -> (files: [SafetensorsFile], fileOfName: [String: Int]) {
    let json = try JSONFile.read(index)
    guard let map = json["weight_map"]?.object else {
      throw CheckpointError(
        .malformed, path: index.path, "weight_map", expected: "an object of file names",
        found: json["weight_map"]?.kindName ?? "nothing")
    }
    var shardOfName: [String: String] = [:]
    for field in map {
      // A name with a folder could point anywhere on the machine.
      guard let shard = field.value.string, !shard.contains("/"), shard != "..", !shard.isEmpty
      else {
        throw CheckpointError(
          .malformed, path: index.path, "weight_map of '\(field.key)'",
          expected: "the name of a file in this folder", found: field.value.serialized())
      }
      shardOfName[field.key] = shard
    }
    let shards = Set(shardOfName.values).sorted()
    let files = try shards.map { try SafetensorsFile(contentsOf: directory.appending(path: $0)) }
    let place = Dictionary(uniqueKeysWithValues: zip(shards, files.indices))
    var fileOfName: [String: Int] = [:]
    for (name, shard) in shardOfName {
      guard let number = place[shard], files[number].contains(name) else {
        throw CheckpointError(
          .malformed, path: directory.appending(path: shard).path,
          "there is no tensor '\(name)', which \(indexName) puts here")
      }
      fileOfName[name] = number
    }
    return (files, fileOfName)
  }
}

extension ShardedSafetensors {
  /// Writes `tensors` into `directory`: one file, or several with an index when they hold more
  /// than `maximumShardByteCount` bytes of data (5 GB, as transformers).
  public static func write(
    _ tensors: [StoredTensor], metadata: [String: String] = [:], to directory: URL,
    maximumShardByteCount: Int = 5_000_000_000
  ) throws {
    var shards: [[StoredTensor]] = []
    var room = 0
    for tensor in tensors {
      if shards.isEmpty || tensor.byteCount > room {
        shards.append([])
        room = maximumShardByteCount
      }
      shards[shards.count - 1].append(tensor)
      room -= tensor.byteCount
    }
    guard shards.count > 1 else {
      let url = directory.appending(path: singleName)
      return try Safetensors.write(tensors, metadata: metadata, to: url)
    }
    var map: [JSONField] = []
    for (number, shard) in shards.enumerated() {
      let name = "model-\(padded(number + 1))-of-\(padded(shards.count)).safetensors"
      try Safetensors.write(shard, metadata: metadata, to: directory.appending(path: name))
      map += shard.map { JSONField(key: $0.name, value: .string(name)) }
    }
    let total = tensors.reduce(0) { $0 + $1.byteCount }
    let index = JSONValue.object([
      JSONField(
        key: "metadata", value: .object([JSONField(key: "total_size", value: .integer(total))])),
      JSONField(key: "weight_map", value: .object(map.sorted { $0.key < $1.key })),
    ])
    try AtomicFile.write(index.serialized() + "\n", to: directory.appending(path: indexName))
  }

  private static func padded(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
