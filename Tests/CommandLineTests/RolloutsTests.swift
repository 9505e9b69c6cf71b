import Foundation
import PlumbCheckpoints
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

/// `plumb rollouts show` and `plumb metrics`.
@Suite struct RolloutsTests {
  /// Two prompts with two responses each; the second is neither judged nor compared to a reference.
  static let buffer: RolloutBuffer = {
    func response(_ text: String, _ finish: FinishReason) -> Rollout {
      Rollout(
        tokens: [4, 5, 6], text: text, finishReason: finish, behaviourLogprobs: [-1, -2, -0.5])
    }
    var first = response("please clean it", .stop)
    first.referenceLogprobs = [-1.5, -2.25, -0.5]
    first.score = 1.25
    first.tokenRewards = [0, 0, 1.25]
    first.values = [0.5, 0.5, 0.5]
    first.advantages = [0.1, 0.2, 0.6]
    first.returns = [0.6, 0.7, 1.1]
    var second = response("just\nclean it", .length)
    second.referenceLogprobs = [-1, -2, -0.5]
    second.score = -0.75
    return RolloutBuffer(
      groups: [
        RolloutGroup(
          id: "clean", prompt: [Message(role: "user", content: "how do i clean\nthe lamp?")],
          promptTokens: [1, 2, 3, 4], responses: [first, second],
          preferenceLogits: [[0, 2], [-2, 0]], judge: "reward"),
        RolloutGroup(
          id: "move", prompt: [Message(role: "user", content: "how do i move it?")],
          promptTokens: [1, 2], responses: [response("so", .stop), response("thus", .stop)]),
      ],
      provenance: .init(
        source: .sampled, origin: "policy", step: 10,
        sampling: SamplingOptions(temperature: 0.7, maximumNewTokens: 3, seed: 9)))
  }()

  private func show(
    _ arguments: [String], name: String = "update-000010.jsonl.zst"
  ) throws -> Program.Result {
    try withTemporaryDirectory { folder in
      try Self.buffer.write(to: folder, name: "update-000010")
      return try Program.run(["rollouts", "show", name] + arguments, in: folder)
    }
  }

  @Test func everythingIsPrinted() throws {
    let result = try show([])
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    #expect(
      result.output == """
        sampled from policy, step 10, temperature 0.7, at most 3 tokens, seed 9
        2 prompts, 4 responses, 12 tokens, 3 ended by themselves

        [0] clean, 4 prompt tokens, judged by reward
        user: how do i clean
              the lamp?

          (0) please clean it

          (1) just
              clean it

        response  tokens  end      score  log-odds  log-prob     KL  KL/token  reward  mean value  mean advantage
        ────────  ──────  ──────  ──────  ────────  ────────  ─────  ────────  ──────  ──────────  ──────────────
               0       3  stop     1.250     2.000    −3.500  0.750     0.250   1.250       0.500           0.300
               1       3  length  −0.750    −2.000    −3.500  0.000     0.000       –           –               –

        log-odds that the row is preferred to the column
                0      1
        ─  ──────  ─────
        0   0.000  2.000
        1  −2.000  0.000

        [1] move, 2 prompt tokens
        user: how do i move it?

          (0) so

          (1) thus

        response  tokens  end   log-prob
        ────────  ──────  ────  ────────
               0       3  stop    −3.500
               1       3  stop    −3.500

        """)
  }

  @Test(arguments: ["update-000010", "update-000010.safetensors", "./update-000010.jsonl.zst"])
  func eitherFileNamesTheBuffer(name: String) throws {
    #expect(try show([], name: name).output == show([]).output)
  }

  @Test func tokensHaveTheirNumbers() throws {
    let output = try show(["--prompt", "0", "--tokens"]).output
    #expect(output.contains("tokens of response 0"))
    #expect(
      output.contains(
        """
           id  log-prob     KL  reward  value  advantage  return
        ─  ──  ────────  ─────  ──────  ─────  ─────────  ──────
        0   4    −1.000  0.500   0.000  0.500      0.100   0.600
        1   5    −2.000  0.250   0.000  0.500      0.200   0.700
        2   6    −0.500  0.000   1.250  0.500      0.600   1.100
        """))
    #expect(!output.contains("[1]"))
  }

  @Test func theLimitIsToldAndZeroShowsAll() throws {
    let output = try show(["--limit", "1"]).output
    #expect(output.contains("[0]") && !output.contains("[1]"))
    #expect(output.hasSuffix("… and 1 more prompts (--limit 0 shows all)\n"))
    #expect(try show(["--limit", "0"]).output == show([]).output)
  }

  @Test func jsonHoldsTheSameNumbers() throws {
    let rows = try show(["--json", "--tokens"]).rows()
    #expect(rows.count == 2)
    let responses = try #require(rows[0]["responses"]?.array)
    #expect(rows[0]["id"]?.string == "clean" && rows[0]["step"]?.integer == 10)
    #expect(responses[0]["kl"]?.number == 0.75 && responses[0]["score"]?.number == 1.25)
    #expect(responses[0]["mean_log_odds"]?.number == 2)
    #expect(responses[0]["token_kl"]?.numbers == [0.5, 0.25, 0])
    #expect(responses[0]["tokens"]?.integers == [4, 5, 6])
    #expect(responses[1]["finish_reason"]?.string == "length")
    #expect(rows[0]["preference_logits"]?.array?[1].numbers == [-2, 0])
    let other = try #require(rows[1]["responses"]?.array?[0])
    #expect(other["kl"] == nil && other["score"] == nil && rows[1]["judge"] == nil)
    #expect(try show(["--json", "--prompt", "1"]).rows().map { $0["id"]?.string } == ["move"])
  }

  @Test func mistakesAreTold() throws {
    func expect(_ result: Program.Result, _ status: Int32, _ words: [String]) {
      #expect(result.status == status && result.output.isEmpty)
      for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
    }
    expect(try show([], name: "update-000011"), 1, ["found no update-000011.jsonl.zst"])
    expect(try show(["--prompt", "2"]), 1, ["--prompt: expected 0 to 1, found 2"])
    expect(try show(["--prompt", "-1"]), 64, ["--prompt"])
    expect(try show(["--limit", "-1"]), 64, ["--limit"])
    try withTemporaryDirectory { folder in
      try Self.buffer.write(to: folder, name: "a")
      let arrays = folder.appending(path: "a.safetensors")
      let half = try Data(contentsOf: arrays)
      try half.prefix(half.count / 2).write(to: arrays)
      expect(
        try Program.run(["rollouts", "show", "a"], in: folder), 1, ["a.safetensors"])
      try FileManager.default.removeItem(at: arrays)
      expect(
        try Program.run(["rollouts", "show", "a.jsonl.zst"], in: folder), 1,
        ["a.jsonl.zst and a.safetensors", "found no a.safetensors"])
      try LineWriter.write(["{}"], to: folder.appending(path: "a.jsonl.zst"))
      try half.write(to: arrays)
      expect(
        try Program.run(["rollouts", "show", "a"], in: folder), 1,
        ["a.jsonl.zst", "line 1 is not a rollout group"])
    }
  }

  @Test func metricsAreExplained() throws {
    let kl = try Program.run(["metrics", "objective/kl"])
    #expect(kl.status == 0 && kl.output.contains("unit:       nats/response"))
    #expect(kl.output.contains("mask:       all response tokens"))
    let list = try Program.run(["metrics"]).output
    #expect(list.contains("watch/length_growth") && list.contains("rewards/margins"))
    let page = try Program.run(["metrics", "--markdown"]).output
    #expect(page.hasPrefix("# Metrics\n") && page.contains("| `objective/kl` |"))
    let unknown = try Program.run(["metrics", "kl_avg"])
    #expect(unknown.status == 1 && unknown.errors.contains("policy/approxkl_avg"))
    #expect(try Program.run(["metrics", "loss", "--markdown"]).status == 64)
  }
}
