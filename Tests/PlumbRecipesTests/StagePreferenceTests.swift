import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// What stages report about a preference model beside its loss.
@Suite struct StagePreferenceTests {
  @Test(arguments: ["reward", "preference"]) func styleAndSlicesAreReported(stage: String) throws {
    let world = try TinyWorld.shared()
    let result = try #require(world.summary.stages.first { $0.name == stage }).result
    let figures = Dictionary(uniqueKeysWithValues: result.figures.map { ($0.name, $0) })
    for name in [
      "test_folded_ece", "test_adaptive_ece", "test_accuracy_style_controlled",
      "test_nll_style_controlled", "test_accuracy_style_only",
    ] {
      let figure = try #require(figures[name], "\(name)")
      let interval = try #require(figure.interval, "\(name)")
      #expect(interval[0] <= figure.value && figure.value <= interval[1], "\(name)")
    }
    // Either a temperature with all that it does, or none of it.
    let scaled = figures.keys.filter { $0.hasSuffix("_with_temperature") }
    #expect(scaled.count == (figures["temperature"] == nil ? 0 : 5))
    let section = try #require(result.sections.first { $0.title.hasSuffix("held-out pairs") })
    let headings = section.blocks.compactMap { block -> String? in
      if case .heading(let text) = block { text } else { nil }
    }
    #expect(headings.contains("Temperature") && headings.contains("Style"))
  }

  @Test func theTemperatureIsThatOfTheValidationPairs() throws {
    let world = try TinyWorld.shared()
    let model = try loadPreferenceModel(directory: URL(filePath: world("reward")))
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("reward")))
    func pairs(_ part: String) throws -> [EncodedPair] {
      let file = URL(filePath: world("data")).appending(path: "preferences.\(part).jsonl.zst")
      let rows = try DataFile.preferencePairs(file).rows
      return rows.map { row in
        EncodedPair(
          group: PreferenceGroup(row, encoder: encoder), source: row.source,
          facts: PairFacts(row) { encoder.response($0).count - 1 })
      }
    }
    let (validation, test) = (try pairs("validation"), try pairs("test"))
    let found = try MeasuredPreferences(model, pairs: test, validation: validation, seed: 7)
    let odds = try PreferenceEvaluation(model: model, pairs: validation.map(\.group)).logOdds
    let effect = try #require(found.analysis.temperature)
    #expect(effect.fit.status == TemperatureFit(logOdds: odds).status)
    #expect(effect.validationPairs == validation.count)
    #expect(effect.sharedPrompts == 0)
    // Without validation and facts, as other stages may ask: no temperature, no style, all figures.
    let bare = try MeasuredPreferences(
      model, pairs: test.map { EncodedPair(group: $0.group, source: $0.source) }, seed: 7)
    #expect(bare.analysis.temperature == nil)
    #expect(bare.analysis.style == nil)
    #expect(bare.metrics == found.metrics)
    #expect(bare.figures.contains { $0.name == "test_accuracy" })
    #expect(!bare.section(title: "x").blocks.isEmpty)
  }
}
