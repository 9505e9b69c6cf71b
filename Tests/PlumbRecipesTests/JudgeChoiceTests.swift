import Foundation
import PlumbPreferences
import Testing

@testable import PlumbRecipes

/// What a recipe can write under `judge:`, and what it is told where it cannot.
@Suite struct JudgeChoiceTests {
  private func recipe(_ judge: String) -> String {
    "name: j\nstages:\n  gpo:\n    policy: p\n    prompts: [x]\n    judge: \(judge)\n"
  }

  private func choice(_ judge: String, overrides: [String] = []) throws -> JudgeChoice {
    let recipe = try StageRegistry.standard.loader.load(
      yaml: recipe(judge), overrides: overrides)
    return try #require(recipe.stages.first?.configuration as? GPOConfiguration).judge
  }

  private func refusal(_ judge: String) throws -> String {
    do {
      _ = try choice(judge)
    } catch {
      return "\(error)"
    }
    Issue.record("\(judge) was not refused")
    return ""
  }

  @Test func aNameIsAModel() throws {
    let judge = try choice("preference")
    #expect(judge == JudgeChoice(model: "preference"))
    #expect(judge.inputs == ["preference"])
    #expect(judge.summary == "preference")
    #expect(judge.handling == JudgeHandling())
  }

  @Test func everyFormIsRead() throws {
    let model = try choice("{model: preference, preference_reward: opponents, on_failure: skip}")
    #expect(model.inputs == ["preference"])
    #expect(model.handling == JudgeHandling(onFailure: .skip, preferenceReward: .opponents))

    let rule = try choice("{rule: length-penalty, unit: tokens, target: 12, weight: 0.5}")
    guard case .rule(let settings) = rule.form else {
      Issue.record("no rule: \(rule)")
      return
    }
    #expect(settings.rule == .lengthPenalty && settings.unit == .tokens)
    #expect(settings.target == 12 && settings.weight == 0.5)
    #expect(rule.inputs.isEmpty && rule.summary == "rule length-penalty 12 tokens")

    let several = try choice(
      "{ensemble: [reward, {rule: regex, pattern: '^please'}, {model: gpm, preference_reward: win-rate}], combine: minimum}"
    )
    #expect(several.inputs == ["reward", "gpm"])
    #expect(several.summary == "minimum of reward, rule regex '^please', gpm")

    let endpoint = try choice(
      "{endpoint: 'http://127.0.0.1:8000/judge', timeout: 2.5, retries: 0, batch_size: 4}")
    guard case .endpoint(let address) = endpoint.form else {
      Issue.record("no endpoint: \(endpoint)")
      return
    }
    #expect(address.options.timeout == 2.5 && address.options.retries == 0)
    #expect(address.options.batchSize == 4 && address.options.backoff == 0.5)
  }

  /// The resolved recipe that a run keeps gives the same judge again.
  @Test(arguments: [
    "preference", "{model: gpm, on_failure: skip}", "{rule: count, pattern: 'a+', limit: 3}",
    "{ensemble: [a, {ensemble: [b, {rule: exact-match}], weights: [2, 1]}]}",
    "{endpoint: 'http://localhost:1/', preference_reward: win-rate}",
  ])
  func theResolvedRecipeReadsBack(_ judge: String) throws {
    let loader = StageRegistry.standard.loader
    let first = try loader.load(yaml: recipe(judge))
    let second = try loader.load(yaml: first.yaml)
    let one = try #require(first.stages.first?.configuration as? GPOConfiguration)
    let two = try #require(second.stages.first?.configuration as? GPOConfiguration)
    #expect(one.judge == two.judge)
    #expect(first.yaml == second.yaml)
  }

  @Test func oneSettingOfAJudgeIsOverridden() throws {
    let judge = try choice(
      "{rule: regex, pattern: a}", overrides: ["gpo.judge.pattern=b+", "gpo.judge.weight=2"])
    #expect(judge.summary == "rule regex 'b+'")
  }

  @Test(arguments: [
    (
      "",
      "judge: expected a stage or a model folder, or a rule, an ensemble or an endpoint, found nothing"
    ),
    (
      "[a, b]",
      "expected a stage or a folder, or a mapping with one of model, rule, ensemble, endpoint, found a list of 2"
    ),
    ("{on_failure: skip}", "found the keys on_failure"),
    ("{model: a, rule: regex}", "found the keys model, rule"),
    ("{model: a, on_failur: skip}", "unknown key 'on_failur'; did you mean 'on_failure'?"),
    ("{model: a, on_failure: ignore}", "expected one of 'stop', 'skip'"),
    (
      "{rule: regexp}",
      "expected one of 'regex', 'count', 'length-target', 'length-penalty', 'exact-match'"
    ),
    ("{rule: regex}", "judge.pattern: expected a regular expression, found nothing"),
    ("{rule: regex, pattern: '(a'}", "expected a regular expression, found '(a'"),
    (
      "{rule: regex, pattern: a, target: 3}",
      "judge.target: expected 0 where lengths do not count, found 3"
    ),
    (
      "{rule: regex, pattern: a, unit: tokens}",
      "judge.unit: expected none where lengths do not count"
    ),
    ("{rule: length-target}", "expected a length to come near to, above 0, found 0"),
    (
      "{rule: length-penalty, pattern: a}",
      "judge.pattern: expected none where lengths count, found a"
    ),
    ("{rule: exact-match, limit: 2}", "expected 0 where matches are not counted, found 2"),
    ("{rule: exact-match, weight: 0}", "expected a number other than 0"),
    ("{ensemble: [a]}", "expected at least two judges, found 1"),
    ("{ensemble: [a, '']}", "found nothing"),
    ("{ensemble: [a, {model: b, on_failure: skip}]}", "expected on_failure beside the ensemble"),
    (
      "{ensemble: [a, b], weights: [1]}",
      "expected 2 numbers above 0, one for each judge, found [1.0]"
    ),
    ("{ensemble: [a, b], weights: [1, -1]}", "expected 2 numbers above 0"),
    (
      "{ensemble: [a, b], weights: [1, 1], combine: minimum}",
      "expected none where the lowest counts"
    ),
    ("{ensemble: [a, {rule: regex, patern: x}]}", "unknown key 'patern'; did you mean 'pattern'?"),
    ("{endpoint: 'http://example.com/x'}", "would leave it; expected 127.0.0.1"),
    ("{endpoint: ''}", "expected the address of a program on this machine"),
    ("{endpoint: 'http://127.0.0.1/', timeout: 0}", "judge.timeout: expected a number from 0.001"),
    ("{endpoint: 'http://127.0.0.1/', retries: -1}", "judge.retries: expected an integer from 0"),
    (
      "{endpoint: 'http://127.0.0.1/', batch_size: 0}",
      "judge.batch_size: expected an integer from 1"
    ),
  ])
  func whatCannotBeMeantIsRefused(_ judge: String, _ expected: String) throws {
    let text = try refusal(judge)
    #expect(text.contains(expected), "\(text)")
    #expect(text.contains("stages.gpo.judge") && text.contains("line 6"), "\(text)")
  }

  @Test func aRemoteEndpointMustBeAllowed() throws {
    let judge = try choice("{endpoint: 'http://example.com/x', allow_remote: true}")
    #expect(judge.summary == "http://example.com/x")
  }
}
