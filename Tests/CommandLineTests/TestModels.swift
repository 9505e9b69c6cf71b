import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers

/// Small random models with a real tokenizer, written once for all tests.
enum TestModels {
  static let policy = folder("policy")
  static let reward = folder("reward")
  static let generalPreference = folder("gpm")
  static let gated = folder("gated")
  static let pair = folder("pair")

  /// A folder for what a test changes.
  static func folder(_ name: String) -> String { root.appending(path: name).path }

  private static let root: URL = {
    let root = FileManager.default.temporaryDirectory
      .appending(path: "plumb-command-line-tests-\(getpid())", directoryHint: .isDirectory)
    do {
      try write(to: root)
    } catch {
      preconditionFailure("TestModels: cannot write \(root.path): \(error)")
    }
    atexit { try? FileManager.default.removeItem(at: TestModels.root) }
    return root
  }()

  private static func write(to root: URL) throws {
    let encoder = try ConversationEncoder(
      tokenizer: Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/qwen2_style.json")),
      template: .chatML)
    let configuration = DecoderConfiguration(
      family: .qwen2, vocabularySize: 1200, hiddenSize: 32, intermediateSize: 48, layerCount: 2,
      headCount: 4, keyValueHeadCount: 2, maximumPositions: 96, eosTokenIDs: [2, 0])
    func finish(_ name: String, _ write: (URL) throws -> Void) throws {
      let folder = root.appending(path: name, directoryHint: .isDirectory)
      try write(folder)
      try encoder.write(to: folder)
    }
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    try finish("policy") { try CausalLM(configuration, seed: 1).write(to: $0) }
    try finish("reward") {
      try RewardModel(configuration: configuration, head: .worldPM, endOfText: 0, seed: 2)
        .write(to: $0)
    }
    try finish("pair") {
      try PairPreferenceModel(
        configuration: configuration, opening: PairPreferenceModel.opening(encoder), endOfText: 0,
        seed: 4
      ).write(to: $0)
    }
    for (name, isGated) in [("gpm", false), ("gated", true)] {
      try finish(name) {
        try GeneralPreferenceModel(
          configuration: configuration,
          options: .init(dimension: 4, normalises: true, isGated: isGated), endOfText: 0, seed: 3
        ).write(to: $0)
      }
    }
  }
}
