import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// Answers to rows of text, held against each other.
@Suite struct AnswerTests {
  static let pairs = [
    #"{"prompt": "Why is the sky blue?", "chosen": "Because of light.", "rejected": "No."}"#,
    #"{"prompt": "2 + 2?", "chosen": "4", "rejected": "It is five, I think."}"#,
    #"{"prompt": "Name a colour.", "chosen": "Red", "rejected": "Wednesday"}"#,
    #"{"prompt": "Say hello.", "chosen": "Hello!", "rejected": "Goodbye, and do not return."}"#,
  ]

  @Test func batchesGiveWhatRowsGiveAlone() throws {
    let rows = (1...40).map { row("tokens", Array(1...($0 * 2))) }
    let together = try Program.run(["logprobs", "--model", TestModels.policy], input: lines(rows))
      .rows()
    #expect(together.count == rows.count)
    for number in [0, 17, 39] {
      let alone = try Program.run(
        ["logprobs", "--model", TestModels.policy], input: lines([rows[number]])
      ).rows()
      expectClose(
        try #require(together[number]["logprobs"]).numbers,
        try #require(alone.first?["logprobs"]).numbers, absolute: 1e-5, relative: 0)
    }
  }

  @Test func oneTokenHasNoLogprobs() throws {
    let result = try Program.run(
      ["logprobs", "--model", TestModels.policy], input: "{\"tokens\": [5]}\n")
    #expect(result.output == "{\"logprobs\":[],\"sum\":0.0}\n")
  }

  @Test func responsesAreReadAfterTheirPrompt() throws {
    let tokenizer = ["tokenize", "--tokenizer", TestModels.policy]
    let whole = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>"
    let start = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    let ids = try Program.run(
      tokenizer,
      input: lines([whole, start].map { "{\"text\":\(JSONValue.string($0).serialized())}" })
    ).rows().map { try #require($0["ids"]).integers }
    let rows = try Program.run(
      ["logprobs", "--model", TestModels.policy],
      input: lines([
        row("tokens", ids[0]), #"{"prompt": "Hi", "response": "Hello"}"#,
        #"{"messages": [{"role": "user", "content": "Hi"}], "response": "Hello"}"#,
      ])
    ).rows()
    let all = try #require(rows[0]["logprobs"]).numbers
    let response = try #require(rows[1]["logprobs"]).numbers
    #expect(response.count == ids[0].count - ids[1].count)
    expectClose(response, Array(all.suffix(response.count)), absolute: 1e-5, relative: 0)
    #expect(rows[1]["sum"] == rows[2]["sum"])
  }

  @Test func greedyTokensAreTheLikeliest() throws {
    let arguments = [
      "generate", "--model", TestModels.policy, "--temperature", "0", "--max-new-tokens", "6",
    ]
    let rows = try Program.run(
      arguments, input: lines([#"{"prompt": "Hi"}"#, #"{"text": "Once upon"}"#])
    ).rows()
    for row in rows {
      #expect(row["text"]?.string != nil)
      let count = try #require(row["tokens"]).integers.count
      #expect((1...6).contains(count))
    }
    let continued = try Program.run(
      arguments + ["--ignore-eos"], input: lines([row("tokens", [7])])
    )
    .rows()
    #expect(continued.first?["tokens"]?.integers.count == 6)
  }

  @Test func theSeedDecidesWhatIsSampled() throws {
    func sample(_ seed: Int, rows: Int = 3) throws -> [JSONValue] {
      try Program.run(
        [
          "generate", "--model", TestModels.policy, "--seed", "\(seed)", "--samples", "2",
          "--max-new-tokens", "8", "--top-k", "50",
        ], input: lines([String](repeating: #"{"prompt": "Hi"}"#, count: rows))
      ).rows()
    }
    let first = try sample(1)
    #expect(first.count == 6)
    #expect(Set(first).count > 1)
    #expect(try sample(1) == first)
    #expect(try sample(2) != first)
    #expect(try sample(1, rows: 1) == Array(first.prefix(2)))
  }

  @Test func stopTokensEndAResponse() throws {
    let golden = Fixtures.url("golden/qwen2").path
    let rows = try Program.run(
      [
        "generate", "--model", golden, "--temperature", "0", "--max-new-tokens", "24",
        "--stop-token", "96",
      ], input: "{\"tokens\": [96, 83, 83, 48, 91]}\n"
    ).rows()
    #expect(rows.first?["tokens"]?.integers == [4, 65, 4, 96])
  }

  @Test func probabilitiesFollowFromTheScores() throws {
    let rows = try Program.run(["score", "--model", TestModels.reward], input: lines(Self.pairs))
      .rows()
    #expect(rows.count == Self.pairs.count)
    for row in rows {
      let chosen = try #require(row["chosen_score"]?.number)
      let rejected = try #require(row["rejected_score"]?.number)
      expectClose(
        try #require(row["probability"]?.number), 1 / (1 + exp(rejected - chosen)),
        absolute: 1e-6, relative: 0)
    }
    let single = try Program.run(
      ["score", "--model", TestModels.reward],
      input: lines([#"{"prompt": "2 + 2?", "response": "4"}"#])
    ).rows()
    expectClose(
      try #require(single.first?["score"]?.number),
      try #require(rows[1]["chosen_score"]?.number), absolute: 1e-5, relative: 0)
  }

  @Test func pairsMayBeConversations() throws {
    let conversations =
      #"{"chosen": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],"#
      + #" "rejected": [{"role": "user", "content": "2 + 2?"},"#
      + #" {"role": "assistant", "content": "It is five, I think."}]}"#
    let rows = try Program.run(
      ["score", "--model", TestModels.reward], input: lines([Self.pairs[1], conversations])
    ).rows()
    #expect(rows[0] == rows[1])
  }

  @Test func preferencesAreThoseOfTheEmbeddings() throws {
    let model = TestModels.generalPreference
    let pair = try Program.run(["score", "--model", model], input: lines([Self.pairs[0]])).rows()
    let embeddings = try Program.run(
      ["score", "--model", model],
      input: lines([
        #"{"prompt": "Why is the sky blue?", "response": "Because of light."}"#,
        #"{"prompt": "Why is the sky blue?", "response": "No."}"#,
      ])
    ).rows().map { try #require($0["embedding"]).numbers }
    let (a, b) = (embeddings[0], embeddings[1])
    #expect(a.count == 4)
    let score = a[0] * b[1] - a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
    expectClose(
      try #require(pair[0]["preference_score"]?.number), score, absolute: 1e-5, relative: 0)
    // tau is 0.1.
    expectClose(
      try #require(pair[0]["probability"]?.number), 1 / (1 + exp(-score / 0.1)), absolute: 1e-4,
      relative: 0)
  }

  @Test func aPairModelIsAskedInBothOrders() throws {
    let model = TestModels.pair
    let swapped = Self.pairs.map {
      $0.replacing("chosen", with: "other").replacing("rejected", with: "chosen")
        .replacing("other", with: "rejected")
    }
    let (rows, others) = (
      try Program.run(["score", "--model", model], input: lines(Self.pairs)).rows(),
      try Program.run(["score", "--model", model], input: lines(swapped)).rows()
    )
    #expect(rows.count == Self.pairs.count)
    for (row, other) in zip(rows, others) {
      let given = try #require(row["as_given"]?.number)
      let turned = try #require(row["swapped"]?.number)
      let score = try #require(row["preference_score"]?.number)
      expectClose(score, (given + turned) / 2, absolute: 1e-9, relative: 0)
      expectClose(
        try #require(row["probability"]?.number), 1 / (1 + exp(-score)), absolute: 1e-9,
        relative: 0)
      expectClose(
        try #require(other["as_given"]?.number), -turned, absolute: 1e-4, relative: 1e-4)
    }
    let single = try Program.run(
      ["score", "--model", model], input: lines([#"{"prompt": "2 + 2?", "response": "4"}"#]))
    #expect(single.status == 1)
    #expect(single.errors.contains("a pair model compares two responses"))
    let figures = try withTemporaryDirectory { folder in
      let file = folder.appending(path: "pairs.jsonl")
      try lines(Self.pairs).write(to: file, atomically: false, encoding: .utf8)
      return try Program.run(["evaluate", "--model", model, "--data", file.path]).rows().first
    }
    #expect(figures?["pairs"]?.integer == Self.pairs.count)
  }

  @Test func compressedInputIsRead() throws {
    try withTemporaryDirectory { folder in
      for name in ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"] {
        let file = folder.appending(path: name)
        try LineWriter.write(Self.pairs, to: file)
        let result = try Program.run(["score", "--model", TestModels.reward, "--input", file.path])
        #expect(try result.rows().count == Self.pairs.count)
      }
    }
  }
}
