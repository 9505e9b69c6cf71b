import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Reference log-probabilities are computed once and kept (trl#2423, #2421, #3985), and never trusted
/// where anything that decides them is another.
@Suite struct ReferenceCacheTests {
  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  private var pairs: String { "pairs: ['\(world("data/preferences.judge.jsonl.zst"))']" }

  private func dpo(
    cache: URL?, policy: String? = nil, data: String? = nil, more: String = ""
  ) throws -> TinyStage {
    let folder = cache.map { ", reference_cache: '\($0.path)'" } ?? ""
    return try TinyStage(
      "dpo",
      "policy: '\(policy ?? world("sft"))', \(data ?? pairs), max_length: 64\(folder)\(more)")
  }

  private func entries(_ folder: URL) -> [String] { RunFiles.names(in: folder) }

  /// What a run says when it computes.
  private func computed(_ stage: TinyStage) -> Bool {
    stage.messages.notes.contains { $0.contains("reference log-probabilities under") }
  }

  @Test("Complaint 15, trl#2423: reference log-probabilities are kept for the next run")
  func aSecondRunReadsWhatTheFirstOneComputed() throws {
    let cache = try TemporaryFolder()
    let first = try dpo(cache: cache.url)
    #expect(computed(first) && entries(cache.url).count == 1)
    let bytes = try cache.data(entries(cache.url)[0])
    let second = try dpo(cache: cache.url)
    #expect(!computed(second))
    #expect(try second.weights == first.weights)
    #expect(try cache.data(entries(cache.url)[0]) == bytes)
    // By default the folder is the run's own, and two stages of a run share it.
    let own = try dpo(cache: nil)
    #expect(
      computed(own) && entries(own.folder.url.appending(path: "reference-logprobs")).count == 1)
    #expect(try own.weights == first.weights)
  }

  /// What is read is what is used: numbers that are believed change the training.
  @Test func theNumbersOfTheCacheAreUsed() throws {
    let cache = try TemporaryFolder()
    let first = try dpo(cache: cache.url)
    let url = cache.url.appending(path: entries(cache.url)[0])
    let file = try SafetensorsFile(contentsOf: url)
    let numbers = try file.floats(named: "numbers").map { $0 + 3 }
    var sum = Fingerprint()
    sum.add(numbers.map { Int32(bitPattern: $0.bitPattern) })
    var metadata = file.metadata
    metadata["checksum"] = sum.text
    try Safetensors.write(
      [StoredTensor("numbers", shape: [numbers.count], floats: numbers)], metadata: metadata,
      to: url)
    let second = try dpo(cache: cache.url)
    #expect(!computed(second))
    let rewards = try second.series("rewards/chosen")
    expectClose(try #require(rewards.first), -0.3, absolute: 1e-4)
    expectClose(try #require(try first.series("rewards/chosen").first), 0, absolute: 1e-4)
  }

  @Test func otherWeightsTemplateDataOrThreadsMiss() throws {
    let (cache, folder) = (try TemporaryFolder(), try TemporaryFolder())
    _ = try dpo(cache: cache.url)
    // Other weights, in the last place of one number.
    var model = try CausalLM(directory: URL(filePath: world("sft")))
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    let entry = try #require(model.parameters.layout.entries.last)
    let id = try #require(model.parameters.layout.id(named: entry.name))
    var values = model.parameters.values(of: id)
    values[0] = values[0].nextUp
    model.parameters.assign(values, to: id)
    let other = folder.url.appending(path: "other")
    try model.write(to: other, encoder: encoder)
    #expect(computed(try dpo(cache: cache.url, policy: other.path)))
    #expect(entries(cache.url).count == 2)
    // The same weights under the plain template.
    let plain = folder.url.appending(path: "plain")
    try CausalLM(directory: URL(filePath: world("sft"))).write(
      to: plain,
      encoder: try ConversationEncoder(tokenizer: encoder.tokenizer, template: .plain))
    #expect(computed(try dpo(cache: cache.url, policy: plain.path)))
    #expect(entries(cache.url).count == 3)
    // Other rows; the same rows in another order are other batches.
    let rows = try DataFile.preferencePairs(
      URL(filePath: world("data/preferences.judge.jsonl.zst"))
    ).rows
    let fewer = folder.url.appending(path: "fewer.jsonl")
    try DataFile.write(Array(rows.dropLast()), to: fewer)
    #expect(computed(try dpo(cache: cache.url, data: "pairs: ['\(fewer.path)']")))
    let turned = folder.url.appending(path: "turned.jsonl")
    try DataFile.write(Array(rows.reversed()), to: turned)
    #expect(computed(try dpo(cache: cache.url, data: "pairs: ['\(turned.path)']")))
    #expect(entries(cache.url).count == 5)
    // What does not decide them hits: the loss, the learning rate, the folder of the policy.
    let copy = folder.url.appending(path: "copy")
    try FileManager.default.copyItem(at: URL(filePath: world("sft")), to: copy)
    #expect(
      !computed(
        try dpo(
          cache: cache.url, policy: copy.path,
          more: ", loss: ipo, optimizer: {learning_rate: 0.001}")))
    #expect(entries(cache.url).count == 5)
    // A run on other threads would change those of the tests beside it, so the key alone is asked.
    let key = ReferenceCache.Key(content: "c", weights: "w", template: "t", data: "d", threads: 2)
    var alone = key
    alone.threads = 1
    #expect(alone.text != key.text)
  }

  /// Nothing that decides an entry is left out of its name.
  @Test func everyPartOfAKeyDecidesItsName() {
    let key = ReferenceCache.Key(content: "c", weights: "w", template: "t", data: "d", threads: 2)
    var keys = Array(repeating: key, count: 6)
    keys[1].content = "x"
    keys[2].weights = "x"
    keys[3].template = "x"
    keys[4].data = "x"
    keys[5].threads = 1
    let names = Set(keys.map(\.text))
    #expect(names.count == 6)
  }

  /// Every kind of damage is told of, computed again and repaired.
  @Test(arguments: ["flipped", "short", "empty", "text", "renamed", "nan", "count", "folder"])
  func damagedEntriesAreComputedAgain(_ damage: String) throws {
    let cache = try TemporaryFolder()
    let sound = try dpo(cache: cache.url)
    let url = cache.url.appending(path: try #require(entries(cache.url).first))
    let good = try Data(contentsOf: url)
    let file = try SafetensorsFile(contentsOf: url)
    var numbers = try file.floats(named: "numbers")
    func write(_ metadata: [String: String]) throws {
      try Safetensors.write(
        [StoredTensor("numbers", shape: [numbers.count], floats: numbers)], metadata: metadata,
        to: url)
    }
    switch damage {
    case "flipped":
      var bytes = good
      bytes[bytes.count - 6] ^= 1
      try bytes.write(to: url)
    case "short": try good.prefix(good.count - 9).write(to: url)
    case "empty": try Data().write(to: url)
    case "text": try Data("log-probabilities".utf8).write(to: url)
    case "renamed":
      // A sound entry of another policy under this name.
      let other = try TemporaryFolder()
      _ = try dpo(cache: other.url, policy: world("pretrain"))
      try FileManager.default.removeItem(at: url)
      try FileManager.default.copyItem(
        at: other.url.appending(path: try #require(entries(other.url).first)), to: url)
    case "nan":
      numbers[2] = .nan
      var sum = Fingerprint()
      sum.add(numbers.map { Int32(bitPattern: $0.bitPattern) })
      try write(file.metadata.merging(["checksum": sum.text]) { $1 })
    case "count":
      numbers.removeLast()
      var sum = Fingerprint()
      sum.add(numbers.map { Int32(bitPattern: $0.bitPattern) })
      try write(file.metadata.merging(["checksum": sum.text]) { $1 })
    default:
      try FileManager.default.removeItem(at: url)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    let again = try dpo(cache: cache.url)
    #expect(computed(again))
    #expect(
      again.messages.notes.contains { $0.contains("is not used and computed again") },
      "\(again.messages.notes)")
    #expect(try again.weights == sound.weights)
    if damage == "folder" {
      #expect(again.messages.warnings.contains { $0.contains("not kept for later") })
    } else {
      #expect(try Data(contentsOf: url) == good, "repaired")
    }
  }

  @Test func aFolderThatCannotBeIsRefused() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "file")
    try Data().write(to: file)
    do {
      _ = try dpo(cache: file.appending(path: "below"))
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("cannot create the folder"), "\(error)")
    }
  }

  /// A stopped stage reads what it computed before the stop.
  @Test func aContinuedStageComputesNothingAgain() throws {
    let folder = try TemporaryFolder()
    let yaml = """
      name: stopped
      seed: 3
      threads: 2
      stages:
        dpo: {policy: '\(world("sft"))', \(pairs), max_length: 64, batch_pairs: 8}
      """
    let messages = Messages()
    var polls = 0
    #expect(throws: RunInterruption.self) {
      try runTiny(yaml, in: folder.url, observers: [messages]) {
        polls += 1
        return polls > 2
      }
    }
    #expect(messages.notes.contains { $0.contains("reference log-probabilities") })
    let after = Messages()
    try runTiny(yaml, in: folder.url, mode: .resuming, observers: [after])
    #expect(!after.notes.contains { $0.contains("reference log-probabilities") })
  }

  /// Parts are kept one by one, so that a long computation need not start again.
  @Test func partsAreEntriesOfTheirOwn() throws {
    let folder = try TemporaryFolder()
    let cache = folder.url.appending(path: "cache")
    // 2000 copies of a pair of some 40 tokens are more than the 65536 tokens of a part.
    let row = TinyData.pairs[0]
    let long = (0..<2000).map { number in
      PreferencePair(
        id: "\(number)", source: "tiny", prompt: row.prompt, chosen: row.chosen + " \(number)",
        rejected: row.rejected)
    }
    let file = folder.url.appending(path: "long.jsonl")
    try DataFile.write(long, to: file)
    let data = "pairs: ['\(file.path)'], batch_pairs: 4"
    let first = try dpo(cache: cache, data: data, more: ", epochs: 0.004")
    #expect(entries(cache).count >= 2)
    try FileManager.default.removeItem(at: cache.appending(path: entries(cache)[0]))
    let second = try dpo(cache: cache, data: data, more: ", epochs: 0.004")
    #expect(computed(second))
    #expect(try second.weights == first.weights)
  }
}
