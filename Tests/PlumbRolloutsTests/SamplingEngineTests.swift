import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct SamplingEngineTests {
  private func engine(
    _ options: SamplingOptions, of model: CausalLM = Tiny.policy(), stops: Set<Int> = [0],
    rows: Int = 64
  ) throws -> SamplingEngine {
    try SamplingEngine(model: model, stopTokens: stops, options: options, maximumRows: rows)
  }

  @Test(arguments: ["qwen2", "qwen3", "llama", "gpt2"])
  func greedyContinuationIsTransformers(name: String) throws {
    let folder = Fixtures.url("golden/\(name)")
    let expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
    // The stored sequence begins with the prompt, the first five tokens of row 0.
    let sequence = try expected.integers(named: "greedy_continuation").map { Int32($0) }
    let (prompt, continuation) = (Array(sequence.prefix(5)), Array(sequence.dropFirst(5)))
    let engine = try engine(
      SamplingOptions(temperature: 0, maximumNewTokens: continuation.count),
      of: CausalLM(directory: folder), stops: [])
    let found = try engine.sample(prompts: [prompt])[0][0]
    #expect(found.tokens == continuation)
    #expect(found.finishReason == .length)
  }

  @Test func resultDoesNotDependOnTheBatch() throws {
    let options = SamplingOptions(temperature: 1.1, maximumNewTokens: 20, seed: 4)
    let together = try engine(options).sample(prompts: Tiny.prompts, count: 3, step: 1)
    for rows in [1, 2, 5] {
      let small = try engine(options, rows: rows).sample(prompts: Tiny.prompts, count: 3, step: 1)
      #expect(small.map { $0.map(\.tokens) } == together.map { $0.map(\.tokens) })
    }
    for (index, prompt) in Tiny.prompts.enumerated() {
      let alone = try engine(options).sample(
        prompts: [prompt], count: 3, step: 1, firstRow: index)[0]
      for (a, b) in zip(alone, together[index]) {
        #expect(a.tokens == b.tokens)
        #expect(a.finishReason == b.finishReason)
        expectClose(a.logprobs, b.logprobs, absolute: 1e-5, relative: 0)
      }
    }
    #expect(Set(together.flatMap { $0.map(\.tokens) }).count > 8)
    let next = try engine(options).sample(prompts: Tiny.prompts, count: 3, step: 2)
    #expect(next.map { $0.map(\.tokens) } != together.map { $0.map(\.tokens) })
  }

  @Test func stopsAtAStopTokenAndAtTheLimit() throws {
    let options = SamplingOptions(temperature: 1.5, maximumNewTokens: 12, seed: 8)
    let stops: Set<Int> = [0, 1, 2]
    let all = try engine(options, stops: stops).sample(prompts: Tiny.prompts, count: 8)
      .flatMap { $0 }
    #expect(all.contains { $0.finishReason == .stop })
    #expect(all.contains { $0.finishReason == .length })
    for response in all {
      #expect(response.logprobs.count == response.tokens.count)
      #expect(!response.tokens.dropLast().contains { stops.contains(Int($0)) })
      let last = try #require(response.tokens.last)
      #expect(stops.contains(Int(last)) == (response.finishReason == .stop))
      if response.finishReason == .length { #expect(response.tokens.count == 12) }
    }
  }

  @Test(arguments: ModelFamily.allCases)
  func decodePathEqualsThePackedPath(family: ModelFamily) throws {
    let model = Tiny.policy(family: family)
    for temperature: Float in [0.7, 1] {
      let options = SamplingOptions(temperature: temperature, maximumNewTokens: 16, seed: 2)
      let sampled = try engine(options, of: model).sample(prompts: Tiny.prompts, count: 2)
      let buffer = RolloutBuffer(
        groups: Tiny.prompts.indices.map { index in
          RolloutGroup(
            id: "\(index)", prompt: [], promptTokens: Tiny.prompts[index],
            responses: sampled[index].map {
              Rollout(
                tokens: $0.tokens, text: "", finishReason: $0.finishReason,
                behaviourLogprobs: $0.logprobs)
            })
        }, provenance: .init(source: .sampled, origin: "tiny", sampling: options))
      var recomputed = buffer
      recomputed.recomputeLogprobs(policy: model)
      for place in buffer.places {
        expectClose(
          recomputed[place].behaviourLogprobs, buffer[place].behaviourLogprobs, absolute: 1e-5,
          relative: 0)
      }
      // Another temperature would show.
      var warmer = buffer
      warmer.provenance.sampling?.temperature = temperature + 0.3
      warmer.recomputeLogprobs(policy: model)
      #expect(
        !isClose(
          warmer[buffer.places[0]].behaviourLogprobs, buffer[buffer.places[0]].behaviourLogprobs,
          absolute: 1e-3, relative: 0))
    }
  }

  @Test func promptsAtTheContextLimit() throws {
    let model = Tiny.policy(maximumPositions: 8)
    let options = SamplingOptions(maximumNewTokens: 5, seed: 1)
    let engine = try engine(options, of: model, stops: [])
    let almost = try engine.sample(prompts: [[1, 2, 3, 4, 5, 6, 7]])[0][0]
    #expect(almost.tokens.count == 1)
    #expect(almost.finishReason == .length)
    let some = try engine.sample(prompts: [[1, 2, 3, 4, 5, 6], [1]])
    #expect(some.map { $0[0].tokens.count } == [2, 5])
    #expect(throws: RolloutError.promptTooLong(row: 1, tokens: 8, limit: 8)) {
      try engine.sample(prompts: [[1], [1, 2, 3, 4, 5, 6, 7, 8]])
    }
  }

  @Test func badPromptsAreNamed() throws {
    let engine = try engine(SamplingOptions())
    #expect(throws: RolloutError.emptyPrompt(row: 1)) { try engine.sample(prompts: [[1], []]) }
    #expect(
      throws: RolloutError.tokenOutOfRange(row: 0, position: 1, token: 29, vocabularySize: 29)
    ) { try engine.sample(prompts: [[1, 29]]) }
    #expect(try engine.sample(prompts: []).isEmpty)
    #expect(throws: RolloutError.self) { try self.engine(SamplingOptions(), rows: 0) }
  }

  @Test func brokenWeightsAreReported() throws {
    var model = Tiny.policy()
    let entry = try #require(model.parameters.layout.entries.last)
    let id = try #require(model.parameters.layout.id(named: entry.name))
    model.parameters.assign([Float](repeating: .nan, count: entry.shape.count), to: id)
    #expect(throws: RolloutError.logitsNotFinite(row: 0, response: 0)) {
      try engine(SamplingOptions(), of: model).sample(prompts: [[1]])
    }
  }

  @Test func progressCountsEveryToken() throws {
    var last: SamplingEngine.Progress?
    let responses = try engine(SamplingOptions(maximumNewTokens: 7, seed: 3), rows: 3).sample(
      prompts: Tiny.prompts, count: 2
    ) { progress in
      if let last { #expect(progress.tokens > last.tokens) }
      last = progress
    }
    #expect(last?.finished == 8)
    #expect(last?.total == 8)
    #expect(last?.tokens == responses.flatMap { $0 }.reduce(0) { $0 + $1.tokens.count })
  }
}
