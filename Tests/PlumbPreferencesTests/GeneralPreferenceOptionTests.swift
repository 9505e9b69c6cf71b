import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

/// The gate's forms, a trained temperature, the centred head, and the targets of language modelling.
@Suite struct GeneralPreferenceOptionTests {
  private func model(_ options: GeneralPreferenceModel.Options) throws -> GeneralPreferenceModel {
    var model = try GeneralPreferenceModel(
      configuration: Tiny.configuration(), options: options, seed: 5)
    model.parameters = Tiny.spread(model.parameters)
    return model
  }

  /// `k softmax(logits / sqrt(H))` against PyTorch, with the trunk's width of 5 there.
  @Test func scaledGateIsThePublishedOne() throws {
    let golden = try Golden("gpm_variants")
    let (a, b) = (try golden.variable("gate.chosen"), try golden.variable("gate.rejected"))
    let logits = try golden.variable("gate.logits")
    let scores = skewScores(a, b, gates: softmax(logits * (1 / Float(5).squareRoot())) * 3)
    expectClose(scores.scalars, try golden.floats("gate.score"), absolute: 1e-5, relative: 1e-4)
    let loss = -(scores / 0.1).logSigmoid().mean()
    let gradients = Gradients(of: loss)
    expectClose([loss.item], try golden.floats("gate.loss"), relative: 1e-4)
    for (name, variable) in [("chosen", a), ("rejected", b), ("logits", logits)] {
      expectClose(
        gradients[variable]?.scalars ?? [], try golden.floats("gate.grad.\(name)"),
        absolute: 1e-5, relative: 1e-3, name)
    }
  }

  /// The model's own gate is that formula at the last prompt token.
  @Test func scaledGateOfAModelHasMeanOneAndComesBack() throws {
    let scaled = try model(.init(dimension: 6, isGated: true, gate: .scaled))
    let plain = try model(.init(dimension: 6, isGated: true))
    for (found, other) in zip(
      try scaled.embeddings(groups: Tiny.pairs), try plain.embeddings(groups: Tiny.pairs))
    {
      let (gate, softmax) = (try #require(found.gate), try #require(other.gate))
      expectClose(gate.reduce(0, +), 3, absolute: 1e-5)
      // softmax(x / sqrt(8)) from softmax(x): the logarithms shrink by sqrt(8).
      let powers = softmax.map { pow($0, 1 / Float(8).squareRoot()) }
      let total = powers.reduce(0, +)
      expectClose(gate, powers.map { 3 * $0 / total }, absolute: 1e-5)
    }
    try withTemporaryDirectory { folder in
      try scaled.write(to: folder)
      let read = try GeneralPreferenceModel(directory: folder)
      #expect(read.options.gate == .scaled)
      #expect(try read.logOdds(pairs: Tiny.pairs) == scaled.logOdds(pairs: Tiny.pairs))
    }
  }

  /// With no end of text in a response, the usual model appends one and this one reads what there is.
  @Test func readingTheLastTokenIsStored() throws {
    let last = try model(.init(dimension: 4, readsLastToken: true))
    let usual = try model(.init(dimension: 4))
    #expect(last.readout == .lastToken)
    let open = PreferenceGroup(prompt: [3, 4], chosen: [5, 6], rejected: [7])
    #expect(try last.batch([open]).tokens == [3, 4, 5, 6, 7])
    #expect(try last.logOdds(pairs: [open]) != usual.logOdds(pairs: [open]))
    try withTemporaryDirectory { folder in
      try last.write(to: folder)
      let read = try GeneralPreferenceModel(directory: folder)
      #expect(read.options == last.options)
      #expect(try read.logOdds(pairs: [open]) == last.logOdds(pairs: [open]))
    }
  }

  @Test func trainedTemperatureBeginsAtTauAndIsStoredAsANumber() throws {
    var learning = try GeneralPreferenceModel(
      configuration: Tiny.configuration(), options: .init(dimension: 4, learnsTau: true), seed: 5)
    expectClose(learning.tau, 0.1, absolute: 1e-6)
    let id = try #require(learning.parameters.layout.id(named: "raw_tau"))
    learning.parameters.assign([-1], to: id)
    expectClose(learning.tau, log1p(exp(-1)), absolute: 1e-6)
    let scores = learning.scores(try learning.batch(Tiny.pairs)).scalars
    expectClose(
      try learning.logOdds(pairs: Tiny.pairs), scores.map { Double($0) / log1p(exp(-1)) },
      absolute: 1e-6, relative: 1e-4)
    try withTemporaryDirectory { folder in
      try learning.write(to: folder)
      let read = try GeneralPreferenceModel(directory: folder)
      #expect(!read.options.learnsTau)
      #expect(read.parameters.layout.id(named: "raw_tau") == nil)
      expectClose(read.options.tau, learning.tau, absolute: 1e-9)
      expectClose(
        try read.logOdds(pairs: Tiny.pairs), try learning.logOdds(pairs: Tiny.pairs),
        absolute: 1e-6, relative: 1e-6)
    }
  }

  @Test(arguments: [false, true]) func centredHeadHasMeanZeroAndTheLengthOfTau(normalises: Bool)
    throws
  {
    var model = try model(.init(dimension: 4))
    func rows() throws -> [[Float]] {
      try model.embeddings(groups: Tiny.pairs).flatMap(\.responses)
    }
    let before = try rows()
    let shift = (0..<4).map { column in before.reduce(0) { $0 + $1[column] } / 6 }
    #expect(shift.contains { abs($0) > 0.05 }, "or there would be nothing to centre")
    try model.centreHead(on: Tiny.pairs)
    let after = try rows()
    for column in 0..<4 {
      expectClose(after.reduce(0) { $0 + $1[column] } / 6, 0, absolute: 1e-5, relative: 0)
    }
    expectClose(
      after.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } } / 6, 0.1, absolute: 1e-4, relative: 0)
    // The directions that set responses apart are kept: differences stay in proportion.
    let (old, new) = (before[0][0] - before[1][0], after[0][0] - after[1][0])
    #expect(old * new != 0)
    #expect(throws: PreferenceError.noPairs) { try model.centreHead(on: []) }
  }

  /// The tokens of prompt and chosen response, each at the row before it.
  @Test func chosenTargetsAreThoseOfTheWholeSequence() throws {
    let model = try Tiny.generalPreferenceModel()
    let batch = try model.batch(
      Tiny.pairs + [PreferenceGroup(prompt: [], chosen: [5, 6, 0], rejected: [7, 0])])
    let found = batch.chosenTargets
    #expect(found.counts == [5, 5, 6, 2])
    var next = 0
    for (pair, count) in zip(
      Tiny.pairs + [PreferenceGroup(prompt: [], responses: [[5, 6, 0]])], found.counts)
    {
      let sequence = pair.prompt + pair.responses[0]
      #expect(Array(found.targets[next..<next + count]) == Array(sequence.dropFirst()))
      next += count
    }
    // Each row holds the token before its target.
    for (place, row) in found.rows.enumerated() {
      let all = (Tiny.pairs + [PreferenceGroup(prompt: [], responses: [[5, 6, 0]])])
        .flatMap { ($0.prompt + $0.responses[0]).dropLast() }
      #expect(batch.tokens[row] == all[place])
    }
  }

  @Test func anUnknownGateIsRefused() throws {
    try withTemporaryDirectory { folder in
      try model(.init(dimension: 4, isGated: true)).write(to: folder)
      let file = folder.appending(path: "config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      try text.replacing("\"softmax\"", with: "\"sigmoid\"")
        .write(to: file, atomically: true, encoding: .utf8)
      #expect(throws: ModelError.self) { try GeneralPreferenceModel(directory: folder) }
    }
  }
}
