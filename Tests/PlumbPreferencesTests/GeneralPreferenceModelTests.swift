import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct GeneralPreferenceModelTests {
  @Test(arguments: [false, true], [false, true])
  func trainingScoresAreTheTablesOfInference(normalises: Bool, isGated: Bool) throws {
    let model = try Tiny.generalPreferenceModel(normalises: normalises, isGated: isGated)
    let scores = model.scores(try model.batch(Tiny.pairs)).scalars
    let logOdds = try model.logOdds(pairs: Tiny.pairs)
    // tau divides once: the training score is raw, the log-odds are divided by 0.1.
    expectClose(logOdds, scores.map { Double($0) / 0.1 }, absolute: 1e-4, relative: 1e-4)

    let swapped = Tiny.pairs.map {
      PreferenceGroup(prompt: $0.prompt, chosen: $0.responses[1], rejected: $0.responses[0])
    }
    expectClose(
      try model.logOdds(pairs: swapped), logOdds.map { -$0 }, absolute: 1e-4, relative: 1e-4)
  }

  @Test(arguments: [false, true])
  func embeddingDoesNotDependOnTheBatch(isGated: Bool) throws {
    let model = try Tiny.generalPreferenceModel(isGated: isGated)
    let together = try model.embeddings(groups: Tiny.pairs)
    for (index, pair) in Tiny.pairs.enumerated() {
      let alone = try model.embeddings(groups: [pair])[0]
      for (a, b) in zip(together[index].responses, alone.responses) {
        expectClose(a, b, absolute: 1e-5, relative: 0)
      }
      if isGated {
        let gate = try #require(alone.gate)
        expectClose(try #require(together[index].gate), gate, absolute: 1e-5, relative: 0)
        expectClose(gate.reduce(0, +), 1, absolute: 1e-5)
      }
    }
  }

  @Test func gateIsReadAtTheLastPromptToken() throws {
    let model = try Tiny.generalPreferenceModel(isGated: true)
    let head = try #require(model.parameters.layout.id(named: "prompt_head.weight"))
    for (pair, found) in zip(Tiny.pairs, try model.embeddings(groups: Tiny.pairs)) {
      let hidden = model.decoder.hiddenStates(
        tokens: pair.prompt, layout: PackedLayout(lengths: [pair.prompt.count]),
        parameters: model.parameters)
      let gate = softmax(
        linear(hidden.rows(at: [pair.prompt.count - 1]), weight: model.parameters[head]))
      expectClose(try #require(found.gate), gate.scalars, absolute: 1e-5, relative: 0)
    }
  }

  @Test func normalisedEmbeddingsHaveLengthOne() throws {
    let model = try Tiny.generalPreferenceModel(normalises: true)
    for embedding in try model.embeddings(groups: Tiny.pairs).flatMap(\.responses) {
      expectClose(embedding.reduce(0) { $0 + $1 * $1 }, 1, absolute: 1e-5)
    }
  }

  @Test func holdsACycle() {
    // Three directions a third of a turn apart: each beats the next.
    let embeddings = PreferenceEmbeddings(
      responses: (0..<3).map { index in
        let angle = 2 * Float.pi / 3 * Float(index)
        return [cos(angle), sin(angle)]
      })
    let table = embeddings.preferenceLogits(tau: 0.1)
    for index in 0..<3 { #expect(table[index][(index + 1) % 3] > 8) }
  }

  @Test func gateNeedsAPrompt() throws {
    let model = try Tiny.generalPreferenceModel(isGated: true)
    #expect(throws: PreferenceError.promptNeeded(row: 1)) {
      try model.embeddings(
        groups: [Tiny.pairs[0], PreferenceGroup(prompt: [], responses: [[1, 0]])])
    }
  }

  @Test func oddDimensionIsRefused() {
    for dimension in [0, 3] {
      #expect(throws: PreferenceError.self) {
        try GeneralPreferenceModel(
          configuration: Tiny.configuration(), options: .init(dimension: dimension), seed: 0)
      }
    }
    #expect(throws: PreferenceError.self) {
      try GeneralPreferenceModel(
        configuration: Tiny.configuration(), options: .init(tau: 0), seed: 0)
    }
  }

  @Test(arguments: [false, true], [false, true])
  func roundTrip(normalises: Bool, isGated: Bool) throws {
    let model = try Tiny.generalPreferenceModel(normalises: normalises, isGated: isGated)
    try withTemporaryDirectory { folder in
      try model.write(to: folder)
      guard case .generalPreference(let read) = try loadPreferenceModel(directory: folder) else {
        Issue.record("expected a general preference model")
        return
      }
      #expect(read.options == model.options)
      #expect(try read.embeddings(groups: Tiny.pairs) == model.embeddings(groups: Tiny.pairs))
    }
  }

  @Test func initialHeadHasThePapersSpread() throws {
    var configuration = Tiny.configuration()
    configuration.hiddenSize = 64
    configuration.headCount = 2
    configuration.headDimension = 32
    let model = try GeneralPreferenceModel(
      configuration: configuration, options: .init(dimension: 32), seed: 1)
    let id = try #require(model.parameters.layout.id(named: "value_head.weight"))
    let values = model.parameters.values(of: id)
    let deviation = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
    expectClose(deviation, 1 / 65, absolute: 0, relative: 0.1)
  }

  @Test func shapesThatDifferTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = skewScores(Tensor.zeros([2, 4]), Tensor.zeros([2, 6]))
    }
    await #expect(processExitsWith: .failure) {
      _ = skewScores(Tensor.zeros([2, 4]), Tensor.zeros([2, 4]), gates: Tensor.zeros([2, 4]))
    }
  }
}
