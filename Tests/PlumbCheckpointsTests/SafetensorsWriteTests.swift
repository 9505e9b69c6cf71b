import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@Suite struct SafetensorsWriteTests {
  static let tensors: [(name: String, shape: [Int], values: [Float])] = [
    (name: "b.weight", shape: [2, 3], values: [1, 2, 3, 4, 5, 6]),
    (name: "a \"quoted\"\n", shape: [1], values: [0.1]),
    (name: "scalar", shape: [], values: [7]),
    (name: "empty", shape: [0, 4], values: []),
  ]

  @Test func roundTrip() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      try Safetensors.write(Self.tensors, metadata: ["k": "wert ü"], to: url)
      let file = try SafetensorsFile(contentsOf: url)
      #expect(file.names == Self.tensors.map(\.name).sorted())
      #expect(file.metadata == ["k": "wert ü", "format": "pt"])
      for tensor in Self.tensors {
        #expect(file.shape(of: tensor.name) == tensor.shape)
        #expect(try file.floats(named: tensor.name) == tensor.values)
      }
    }
  }

  @Test func bytesAreAsTheFormatSays() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      try Safetensors.write([(name: "x", shape: [2], values: [1, -2])], to: url)
      let header =
        #"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
      let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
      let expected = safetensors(padded, data: [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0])
      #expect(try Data(contentsOf: url) == expected)
      #expect(padded.utf8.count % 8 == 0)
    }
  }

  @Test func orderOfTensorsDoesNotMatter() throws {
    try withTemporaryDirectory { folder in
      let (one, two) = (folder.appending(path: "1"), folder.appending(path: "2"))
      try Safetensors.write(Self.tensors, metadata: ["z": "1", "a": "2"], to: one)
      try Safetensors.write(Self.tensors.reversed(), metadata: ["a": "2", "z": "1"], to: two)
      #expect(try Data(contentsOf: one) == Data(contentsOf: two))
    }
  }

  @Test func mixesTypes() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      try Safetensors.write(
        [
          StoredTensor("ids", shape: [3], integers: [1, -5, .max]),
          StoredTensor("half", shape: [2], floats: [0.5, 65504], as: .float16),
        ], to: url)
      let file = try SafetensorsFile(contentsOf: url)
      #expect(try file.integers(named: "ids") == [1, -5, .max])
      #expect(file.type(of: "half") == .float16)
      #expect(try file.floats(named: "half") == [0.5, 65504])
    }
  }

  @Test func wrongCountsTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = StoredTensor("x", shape: [2, 2], floats: [1])
    }
    await #expect(processExitsWith: .failure) {
      try? Safetensors.write(
        [(name: "x", shape: [1], values: [1]), (name: "x", shape: [1], values: [2])],
        to: URL(filePath: "/tmp/plumb-never-written"))
    }
  }

  @Test func shardsRoundTrip() throws {
    try withTemporaryDirectory { folder in
      let stored = (0..<5).map { number in
        StoredTensor(
          "layer.\(number)", shape: [4], floats: .init(repeating: Float(number), count: 4))
      }
      try ShardedSafetensors.write(stored, to: folder, maximumShardByteCount: 32)
      #expect(
        try names(in: folder) == [
          "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
          "model-00003-of-00003.safetensors", "model.safetensors.index.json",
        ])
      let index = try JSONFile.read(folder.appending(path: "model.safetensors.index.json"))
      #expect(index["metadata"]?["total_size"] == .integer(80))
      let sharded = try ShardedSafetensors(directory: folder)
      #expect(sharded.names == stored.map(\.name))
      #expect(sharded.files.count == 3)
      #expect(try sharded.floats(named: "layer.3") == [3, 3, 3, 3])
      #expect(sharded.shape(of: "layer.3") == [4])
    }
  }

  @Test func oneShardHasNoIndex() throws {
    try withTemporaryDirectory { folder in
      try ShardedSafetensors.write(
        [StoredTensor("x", shape: [1], floats: [1])], to: folder)
      #expect(try names(in: folder) == ["model.safetensors"])
      #expect(try ShardedSafetensors(directory: folder).floats(named: "x") == [1])
    }
  }

  @Test(arguments: [
    (#"{}"#, "weight_map"),
    (#"{"weight_map":{"x":3}}"#, "'x'"),
    (#"{"weight_map":{"x":"../model.safetensors"}}"#, "in this folder"),
    (#"{"weight_map":{"x":"gone.safetensors"}}"#, "gone.safetensors"),
    (#"{"weight_map":{"y":"shard.safetensors"}}"#, "no tensor 'y'"),
    ("{\"weight_map\":\n{,}}", "line 2"),
  ])
  func refusesBadIndex(json: String, says: String) throws {
    try withTemporaryDirectory { folder in
      try Safetensors.write(
        [(name: "x", shape: [1], values: [1])], to: folder.appending(path: "shard.safetensors"))
      try AtomicFile.write(json, to: folder.appending(path: "model.safetensors.index.json"))
      let error = checkpointError { _ = try ShardedSafetensors(directory: folder) }
      #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
    }
  }

  @Test func refusesFolderWithoutWeights() throws {
    try withTemporaryDirectory { folder in
      let empty = checkpointError { _ = try ShardedSafetensors(directory: folder) }
      #expect(empty?.kind == .missing && empty?.found == "neither")
      let none = checkpointError {
        _ = try ShardedSafetensors(directory: folder.appending(path: "none"))
      }
      #expect(none?.found == "no such folder")
    }
  }
}
