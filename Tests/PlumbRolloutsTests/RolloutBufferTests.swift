import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct RolloutBufferTests {
  @Test func samplingFillsTheBuffer() throws {
    let (buffer, _, encoder) = try Tiny.buffer()
    #expect(buffer.groups.map(\.id) == ["sky", "licence", "hi"])
    #expect(buffer.responseCount == 9)
    #expect(buffer.provenance.step == 2)
    for place in buffer.places {
      let response = buffer[place]
      #expect(response.behaviourLogprobs.count == response.tokens.count)
      #expect(response.behaviourLogprobs.allSatisfy { $0 <= 0 })
      #expect(response.text == encoder.decodeResponse(response.tokens.map { Int($0) }))
    }
    try buffer.validate()
    #expect(try Tiny.buffer().buffer == buffer)
  }

  @Test func firstMinibatchHasRatioOne() throws {
    var (buffer, policy, _) = try Tiny.buffer()
    let batches = buffer.batches(tokenBudget: 60)
    #expect(batches.count > 1)
    buffer.recomputeLogprobs(policy: policy, batches: batches)
    for places in batches {
      let batch = buffer.batch(places)
      let logprobs = batch.logprobs(model: policy).logprobs
      #expect(logprobs.requiresGradient)
      #expect(try logprobs.scalars == buffer.values(of: .behaviourLogprobs, in: batch))
      try buffer.requireUnitRatio(logprobs.scalars, in: batch, tolerance: 0)

      var wrong = logprobs.scalars
      wrong[1] -= 0.1
      #expect(throws: RolloutError.self) { try buffer.requireUnitRatio(wrong, in: batch) }
      wrong[1] = .nan
      #expect(throws: RolloutError.self) { try buffer.requireUnitRatio(wrong, in: batch) }
    }
  }

  /// Each response alone, prompt and all, gives the log-probs of the packed batch with shared prompts.
  @Test func packedBatchEqualsSingleSequences() throws {
    let (buffer, policy, _) = try Tiny.buffer()
    let order = [buffer.places[4], buffer.places[0], buffer.places[5], buffer.places[8]]
    let batch = buffer.batch(order)
    #expect(batch.places == [order[0], order[2], order[1], order[3]])
    #expect(batch.targets == batch.places.flatMap { buffer[$0].tokens })
    let packed = batch.logprobs(model: policy).logprobs
    let sums = batch.sequenceLogprobs(packed).scalars
    var next = 0
    for (number, place) in batch.places.enumerated() {
      let prompt = buffer.groups[place.group].promptTokens
      let single = try policy.logprobs(of: prompt + buffer[place].tokens)
        .dropFirst(prompt.count - 1)
      expectClose(
        Array(packed.scalars[next..<next + batch.lengths[number]]), Array(single), absolute: 1e-4,
        relative: 0)
      expectClose(sums[number], single.reduce(0, +), absolute: 1e-3, relative: 0)
      next += batch.lengths[number]
    }
  }

  @Test func valuesAndReferenceLogprobs() throws {
    var (buffer, policy, _) = try Tiny.buffer()
    let batch = buffer.batch()
    #expect(throws: RolloutError.self) { try buffer.values(of: .values, in: batch) }
    let critic = try RewardModel(from: policy, head: .linear, seed: 1)
    buffer.fillValues(critic: critic)
    buffer.fillReferenceLogprobs(
      model: Tiny.policy(
        vocabularySize: policy.configuration.vocabularySize, maximumPositions: 96, seed: 4))
    let place = buffer.places[4]
    let prompt = buffer.groups[place.group].promptTokens
    let sequence = prompt + buffer[place].tokens
    let values = critic.outputs(
      tokens: sequence, layout: PackedLayout(lengths: [sequence.count]),
      rows: Array(prompt.count - 1..<sequence.count - 1))
    expectClose(buffer[place].values, values.scalars, absolute: 1e-4, relative: 0)
    #expect(buffer[place].referenceLogprobs != buffer[place].behaviourLogprobs)
    try buffer.validate()
  }

  @Test func judgesFillScoresAndTables() throws {
    var (buffer, _, encoder) = try Tiny.buffer()
    try buffer.judge(
      by: FunctionJudge(name: "length") { _, text in Double(text.count) }, encoder: encoder)
    for group in buffer.groups {
      #expect(group.judge == "length")
      let table = try #require(group.preferenceLogits)
      for (i, response) in group.responses.enumerated() {
        #expect(response.score == Float(response.text.count))
        for (j, other) in group.responses.enumerated() {
          #expect(table[i][j] == Double(response.text.count - other.text.count))
        }
      }
    }
    #expect(throws: PreferenceError.self) {
      try buffer.judge(by: FunctionJudge(name: "nan") { _, _ in .nan }, encoder: encoder)
    }
  }

  @Test func bestAndWorstFollowTheMeanLogOdds() throws {
    var buffer = try Tiny.buffer(count: 3).buffer
    #expect(throws: RolloutError.self) { try buffer.bestAndWorst() }
    buffer.groups[0].preferenceLogits = [[0, 1, -4], [-1, 0, 2], [4, -2, 0]]
    // Means -1, 1/3, 2/3.
    buffer.groups[1].preferenceLogits = [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
    buffer.groups[2].preferenceLogits = [[0, 2, 2], [-2, 0, 0], [-2, 0, 0]]
    let pairs = try buffer.bestAndWorst()
    try #require(pairs.map(\.best.group) == [0, 2])
    #expect(pairs[0].best.response == 2)
    #expect(pairs[0].worst.response == 0)
    #expect(pairs[1].best.response == 0)
    #expect(pairs[1].worst.response == 1)
    // Equal tokens teach nothing, whatever the judge says.
    buffer.groups[2].responses[1] = buffer.groups[2].responses[0]
    #expect(try buffer.bestAndWorst().map(\.best.group) == [0])
  }

  /// `golden/gpo`: ŝ over five responses, self included.
  @Test func opponentMeansAreTheReferences() throws {
    let file = try SafetensorsFile(contentsOf: Fixtures.url("golden/gpo.safetensors"))
    let tables = try file.floats(named: "preference_logits").map { Double($0) }
    let response = Rollout(tokens: [1], text: "a", finishReason: .stop)
    let groups = (0..<3).map { group in
      RolloutGroup(
        id: "\(group)", prompt: [], promptTokens: [1],
        responses: Array(repeating: response, count: 5),
        preferenceLogits: (0..<5).map { i in
          (0..<5).map { j in tables[(group * 5 + i) * 5 + j] }
        })
    }
    let buffer = RolloutBuffer(groups: groups, provenance: .init(source: .sampled, origin: "g"))
    let expected = try file.floats(named: "s_hat")
    expectClose(try buffer.opponentMeans(), expected, absolute: 1e-5)
    expectClose(
      try buffer.opponentMeans(includingSelf: false), expected.map { $0 * 5 / 4 }, absolute: 1e-5)
  }

  @Test func pairsKeepTheirLabel() throws {
    let encoder = try Tiny.encoder()
    let pairs = [("fine", "bad"), ("a rather long answer", "no")].enumerated().map { index, texts in
      PreferencePair(
        id: "\(index)", source: "test", prompt: [Message(role: "user", content: "Q")],
        chosen: texts.0, rejected: texts.1)
    }
    let (buffer, dropped) = RolloutBuffer.pairs(pairs, encoder: encoder, origin: "test")
    #expect(dropped == 0)
    #expect(buffer.provenance.source == .preferencePairs)
    let best = try buffer.bestAndWorst()
    #expect(best.map(\.best.response) == [0, 0])
    #expect(best.map(\.worst.response) == [1, 1])
    #expect(buffer.groups[0].responses[0].tokens == encoder.response("fine").map { Int32($0) })
    try buffer.validate()
    let longest = buffer.groups.map { $0.promptTokens.count + $0.responses[0].tokens.count }
    let short = RolloutBuffer.pairs(
      pairs, encoder: encoder, origin: "test", maximumTokens: longest[0])
    #expect(short.dropped == 1)
  }
}
