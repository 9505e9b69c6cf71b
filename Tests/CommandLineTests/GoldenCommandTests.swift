import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// The commands against PyTorch's and tokenizers' numbers.
@Suite struct GoldenCommandTests {
  static let families = ["qwen2", "llama", "qwen3", "gpt2"]

  @Test(arguments: families) func logprobsEqualTheReference(family: String) throws {
    let expected = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/\(family)/expected.safetensors"))
    let ids = try expected.integers(named: "input_ids")
    let mask = try expected.integers(named: "attention_mask")
    let reference = try expected.floats(named: "token_logprobs")
    let width = 19
    let lengths = (0..<3).map { mask[$0 * width..<($0 + 1) * width].reduce(0, +) }
    let input = lines(
      (0..<3).map { row("tokens", Array(ids[$0 * width..<$0 * width + lengths[$0]])) })
    let rows = try Program.run(
      ["logprobs", "--model", path(family), "--threads", "1"], input: input
    ).rows()
    #expect(rows.count == 3)
    for (number, row) in rows.enumerated() {
      let found = try #require(row["logprobs"]).numbers
      let start = number * (width - 1)
      expectClose(
        found, reference[start..<start + lengths[number] - 1].map(Double.init), absolute: 2e-4,
        relative: 0, "\(family) row \(number)")
      let sum = try #require(row["sum"]?.number)
      expectClose(sum, found.reduce(0, +), absolute: 1e-4, relative: 0)
    }
  }

  @Test(arguments: families) func greedyContinuationsAreThoseOfTheReference(family: String) throws {
    let expected = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/\(family)/expected.safetensors")
    ).integers(named: "greedy_continuation")
    let rows = try Program.run(
      [
        "generate", "--model", path(family), "--max-new-tokens", "24", "--temperature", "0",
        "--seed", "0",
      ], input: lines([row("tokens", Array(expected.prefix(5)))])
    ).rows()
    #expect(rows.map { $0["tokens"]?.integers } == [Array(expected.dropFirst(5))])
    #expect(rows.first?["text"] == nil)
  }

  @Test func scoresOfWorldPMEqualTheReference() throws {
    let expected = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/worldpm/expected.safetensors"))
    let ids = try expected.integers(named: "input_ids")
    let width = ids.count / 6
    let sequences = (0..<6).map { Array(ids[$0 * width..<($0 + 1) * width]) }
    let rewards = try expected.floats(named: "rewards").map(Double.init)
    let singles = try Program.run(
      ["score", "--model", path("worldpm")], input: lines(sequences.map { row("tokens", $0) })
    ).rows()
    expectClose(
      singles.compactMap { $0["score"]?.number }, rewards, absolute: 2e-4, relative: 0)

    let pairs = try Program.run(
      ["score", "--model", path("worldpm")],
      input: lines(
        [0, 2, 4].map {
          "{\"chosen_tokens\": \(sequences[$0]), \"rejected_tokens\": \(sequences[$0 + 1])}"
        })
    ).rows()
    for (number, pair) in pairs.enumerated() {
      let difference = rewards[2 * number] - rewards[2 * number + 1]
      expectClose(
        try #require(pair["probability"]?.number), 1 / (1 + exp(-difference)), absolute: 2e-4,
        relative: 0)
      expectClose(
        try #require(pair["chosen_score"]?.number), rewards[2 * number], absolute: 2e-4,
        relative: 0)
    }
    #expect(pairs.count == 3)
  }

  @Test(arguments: ["qwen2_style", "gpt2_style"])
  func tokenIDsAreThoseOfTheReference(name: String) throws {
    let cases = try #require(
      try JSONFile.read(Fixtures.url("golden/tokenizers/\(name)_expected.json")).array)
    let tokenizer = Fixtures.url("golden/tokenizers/\(name).json").path
    let texts = try cases.map { try #require($0["text"]) }
    let ids = try cases.map { try #require($0["ids"]) }
    let encoded = try Program.run(
      ["tokenize", "--tokenizer", tokenizer],
      input: lines(texts.map { "{\"text\":\($0.serialized())}" })
    ).rows()
    #expect(encoded.map { $0["ids"] } == ids)

    let decoded = try Program.run(
      ["tokenize", "--decode", "--tokenizer", tokenizer],
      input: lines(ids.map { "{\"ids\":\($0.serialized())}" })
    ).rows()
    #expect(decoded.map { $0["text"] } == cases.map { $0["decoded"] })
  }

  private func path(_ name: String) -> String { Fixtures.url("golden/\(name)").path }
}
