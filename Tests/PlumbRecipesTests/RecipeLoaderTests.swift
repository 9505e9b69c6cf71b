import Foundation
import Testing

@testable import PlumbRecipes

@Suite struct RecipeLoaderTests {
  let loader = RecipeLoader(kinds: [AllTypesConfiguration.self, WalkConfiguration.self])

  func configuration(_ fields: String, overrides: [String] = []) throws -> AllTypesConfiguration {
    let recipe = try loader.load(
      yaml: "name: test\nstages:\n  all-types: \(fields)\n", overrides: overrides)
    return try #require(recipe.stages[0].configuration as? AllTypesConfiguration)
  }

  @Test func defaultsHoldWhereNothingIsSaid() throws {
    let recipe = try loader.load(yaml: "name: test\nstages: {all-types: }\n")
    let found = try #require(recipe.stages[0].configuration as? AllTypesConfiguration)
    #expect(found.updates == 8 && found.optimiser == .adamw && found.layers == [1, 2])
    #expect(recipe.seed == 17 && recipe.threads == 2)
  }

  @Test func everyTypeIsRead() throws {
    let found = try configuration(
      """
      {updates: 1_000, learning_rate: 3e-4, temperature: 1, shuffle: false, note: no, optimiser: off,
        schedule: {peak: 0.5}, sources: [{path: a}, {weight: 2}], layers: [], weights: {Human: 0.5},
        kl_coefficient: 0}
      """)
    #expect(found.updates == 1000)
    #expect(found.learningRate == 3e-4)
    #expect(found.temperature == 1)
    #expect(!found.shuffle)
    #expect(found.note == "no")
    #expect(found.optimiser == .off)
    #expect(found.schedule.warmupSteps == 10 && found.schedule.peak == 0.5)
    #expect(found.sources.map(\.path) == ["a", ""] && found.sources.map(\.weight) == [1, 2])
    #expect(found.layers.isEmpty)
    #expect(found.weights == ["Human": 0.5])
    #expect(found.klCoefficient == 0)
  }

  @Test func anInlineGroupIsWrittenBesideTheOthers() throws {
    let found = try configuration("{batch_rows: 9, updates: 3, peak: {peak: 0.25}}")
    #expect(found.common.batchRows == 9 && found.updates == 3)
    #expect(found.common.peak.peak == 0.25 && found.common.peak.warmupSteps == 10)
    #expect(found.schedule.peak == 0.001)
  }

  @Test func stagesKeepTheirOrderAndKind() throws {
    let recipe = try loader.load(
      yaml: """
        name: test
        stages:
          zebra: {kind: walk, steps: 2}
          all-types: {}
          apple: {kind: walk, base: zebra}
        """)
    #expect(recipe.stages.map(\.name) == ["zebra", "all-types", "apple"])
    #expect(recipe.stages.map(\.kind) == ["walk", "all-types", "walk"])
  }

  @Test func aListOfSeedsMakesAStagePerSeed() throws {
    let yaml = """
      name: test
      stages:
        first: {kind: walk, seeds: [3, 8], steps: 2}
        walk: {seed: 5}
        all-types: {sources: [{path: first}], layers: [1], note: first}
        last: {kind: all-types, schedule: {peak: 2}, texts: [first, walk]}
      """
    let recipe = try loader.load(yaml: yaml)
    #expect(
      recipe.stages.map(\.name) == ["first-seed3", "first-seed8", "walk", "all-types", "last"])
    #expect(recipe.stages.map(\.kind) == ["walk", "walk", "walk", "all-types", "all-types"])
    #expect(recipe.stages.map(\.seed) == [3, 8, 5, nil, nil])
    let last = try #require(recipe.stages[4].configuration as? AllTypesConfiguration)
    #expect(last.texts == ["first-seed3", "first-seed8", "walk"])
    // Only lists can hold several.
    let other = try #require(recipe.stages[3].configuration as? AllTypesConfiguration)
    #expect(other.note == "first" && other.sources.map(\.path) == ["first"])
    let again = try loader.load(yaml: recipe.yaml)
    #expect(again.yaml == recipe.yaml && again.stages.map(\.seed) == recipe.stages.map(\.seed))
    let overridden = try loader.load(yaml: yaml, overrides: ["first.steps=9", "first.seeds=[1]"])
    #expect(overridden.stages.map(\.name).prefix(2) == ["first-seed1", "walk"])
    #expect((overridden.stages[0].configuration as? WalkConfiguration)?.steps == 9)
  }

  /// Also in lists of groups that hold lists themselves, such as the ensemble of a best of n.
  @Test func aListOfSeedsReachesNestedLists() throws {
    let recipe = try StageRegistry.standard.loader.load(
      yaml: """
        name: nested
        stages:
          rm: {kind: reward-model, seeds: [1, 2], model: base, train: [a], validation: [b], test: [c]}
          compare:
            baseline: sft
            best_of: [{name: best, policy: sft, judge: {ensemble: [rm, other]}}]
            judge: {rule: regex, pattern: please}
            prompts: [p]
        """)
    let compare = try #require(recipe.stages.last?.configuration as? CompareConfiguration)
    #expect(compare.bestOf.map(\.judge.inputs) == [["rm-seed1", "rm-seed2", "other"]])
  }

  @Test func theNameOfAMethodHasNoSeed() {
    for (stage, method) in [
      ("ppo-seed17", "ppo"), ("ppo", "ppo"), ("a-seed-b", "a-seed-b"), ("ppo-seed", "ppo-seed"),
      ("x-seed1-seed2", "x-seed1"),
    ] { #expect(StageSeeds.method(of: stage) == method) }
  }

  @Test func theResolvedRecipeShowsEveryDefaultAndLoadsAgain() throws {
    let recipe = try loader.load(
      yaml: "name: test\ndescription: 'yes: no'\nstages:\n  all-types: {note: '17'}\n  walk: {}\n")
    #expect(
      recipe.yaml == """
        name: test
        description: 'yes: no'
        seed: 17
        threads: 2
        stages:
          all-types:
            kind: all-types
            updates: 8
            learning_rate: 1e-05
            temperature: 0.7
            shuffle: true
            note: '17'
            optimiser: adamw
            schedule:
              warmup_steps: 10
              peak: 0.001
            batch_rows: 4
            peak:
              warmup_steps: 10
              peak: 0.001
            sources: []
            layers: [1, 2]
            texts: []
            weights:
              forum: 1.0
            kl_coefficient: 0.05
          walk:
            kind: walk
            steps: 6
            base: ''

        """)
    #expect(try loader.load(yaml: recipe.yaml).yaml == recipe.yaml)
  }

  struct ErrorCase: CustomTestStringConvertible {
    let yaml: String
    let expected: String
    var testDescription: String { expected }
  }

  static let stage = "name: test\nstages:\n  all-types:\n    "
  static let errorCases: [ErrorCase] = [
    .init(
      yaml: stage + "updates: many",
      expected: "r.yaml: stages.all-types.updates: expected an integer, found the text 'many' "
        + "(line 4)"),
    .init(
      yaml: stage + "updates: 2.5",
      expected: "r.yaml: stages.all-types.updates: expected an integer, found the number 2.5 "
        + "(line 4)"),
    .init(
      yaml: stage + "updates: '3'",
      expected: "r.yaml: stages.all-types.updates: expected an integer, found the text '3' "
        + "(line 4)"),
    .init(
      yaml: stage + "updates: [3]",
      expected: "r.yaml: stages.all-types.updates: expected an integer, found a list of 1 (line 4)"),
    .init(
      yaml: stage + "updates:",
      expected: "r.yaml: stages.all-types.updates: expected an integer, found nothing (line 4)"),
    .init(
      yaml: stage + "learning_rate: nan",
      expected: "r.yaml: stages.all-types.learning_rate: expected a number, found the number nan "
        + "(line 4)"),
    .init(
      yaml: stage + "shuffle: maybe",
      expected: "r.yaml: stages.all-types.shuffle: expected true or false, found the text 'maybe' "
        + "(line 4)"),
    .init(
      yaml: stage + "note: {a: 1}",
      expected: "r.yaml: stages.all-types.note: expected a text, found a mapping (line 4)"),
    .init(
      yaml: stage + "optimiser: adam",
      expected: "r.yaml: stages.all-types.optimiser: expected one of 'adamw', 'sgd', 'off', found "
        + "the text 'adam' (line 4)"),
    .init(
      yaml: stage + "updtaes: 3",
      expected: "r.yaml: stages.all-types: unknown key 'updtaes'; did you mean 'updates'? (line 4)"),
    .init(
      yaml: stage + "learningRate: 3",
      expected: "r.yaml: stages.all-types: unknown key 'learningRate'; did you mean "
        + "'learning_rate'? (line 4)"),
    .init(
      yaml: stage + "schedule:\n      peek: 3",
      expected: "r.yaml: stages.all-types.schedule: unknown key 'peek'; did you mean 'peak'? "
        + "(line 5)"),
    .init(
      yaml: stage + "schedule: fast",
      expected: "r.yaml: stages.all-types.schedule: expected a mapping, found the text 'fast' "
        + "(line 4)"),
    .init(
      yaml: stage + "sources:\n    - {path: a}\n    - {pathh: b}",
      expected: "r.yaml: stages.all-types.sources.1: unknown key 'pathh'; did you mean 'path'? "
        + "(line 6)"),
    .init(
      yaml: stage + "layers: 3",
      expected: "r.yaml: stages.all-types.layers: expected a list, found the integer 3 (line 4)"),
    .init(
      yaml: stage + "layers: [1, two]",
      expected: "r.yaml: stages.all-types.layers.1: expected an integer, found the text 'two' "
        + "(line 4)"),
    .init(
      yaml: stage + "weights: {a: x}",
      expected: "r.yaml: stages.all-types.weights.a: expected a number, found the text 'x' (line 4)"
    ),
    .init(
      yaml: stage + "shuffle: true\n    kl_coefficient: -1",
      expected: "r.yaml: stages.all-types.kl_coefficient: expected a number of at least 0, found "
        + "-1.0 (line 5)"),
    .init(
      yaml: stage + "shuffle: true\n    batch_rows: 0",
      expected: "r.yaml: stages.all-types.batch_rows: expected at least 1, found 0 (line 5)"),
    .init(
      yaml: stage + "batch_row: 2",
      expected: "r.yaml: stages.all-types: unknown key 'batch_row'; did you mean 'batch_rows'? "
        + "(line 4)"),
    .init(
      yaml: stage + "updates: 1\n    seeds: [1, 1]",
      expected: "r.yaml: stages.all-types.seeds: expected a list of different integers, found "
        + "[1, 1] (line 5)"),
    .init(
      yaml: stage + "seeds: [a]",
      expected: "r.yaml: stages.all-types.seeds.0: expected an integer, found the text 'a' "
        + "(line 4)"),
    .init(
      yaml: stage + "seeds: [3]\n    seed: 3",
      expected: "r.yaml: stages.all-types: expected either 'seed' or 'seeds', found both (line 5)"),
    .init(
      yaml: stage + "seeds: [3]\n  all-types-seed3: {kind: walk}",
      expected: "r.yaml: stages.all-types.seeds: expected no other stage of the name "
        + "'all-types-seed3', found one (line 4)"),
    .init(
      yaml: stage + "updates: 1\n    updates: 2",
      expected: "r.yaml: the key 'updates' is there twice (line 4)"),
    .init(
      yaml: "name: test\nstages:\n  - walk",
      expected: "r.yaml: stages: expected a mapping of at least one stage, found a list of 1 "
        + "(line 2)"),
    .init(
      yaml: "name: test",
      expected: "r.yaml: stages: expected a mapping of at least one stage, found no 'stages' "
        + "(line 1)"),
    .init(
      yaml: "stages: {walk: {}}",
      expected: "r.yaml: name: expected a name of letters, digits, '-', '_' and '.', found '' "
        + "(line 1)"),
    .init(
      yaml: "name: a/b\nstages: {walk: {}}",
      expected: "r.yaml: name: expected a name of letters, digits, '-', '_' and '.', found 'a/b' "
        + "(line 1)"),
    .init(
      yaml: "name: a\nthreads: 0\nstages: {walk: {}}",
      expected: "r.yaml: threads: expected an integer above 0, found 0 (line 2)"),
    .init(
      yaml: "name: a\nseed: -1\nstages: {walk: {}}",
      expected: "r.yaml: seed: expected an integer from 0 to 18446744073709551615, found the "
        + "integer -1 (line 2)"),
    .init(
      yaml: "name: a\nstage: {walk: {}}",
      expected: "r.yaml: unknown key 'stage'; did you mean 'stages'? (line 2)"),
    .init(
      yaml: "name: a\nstages: {wlak: {}}",
      expected: "r.yaml: stages.wlak: unknown kind of stage 'wlak'; did you mean 'walk'? (line 2)"),
    .init(
      yaml: "name: a\nstages: {x: {kind: banana}}",
      expected: "r.yaml: stages.x: unknown kind of stage 'banana'; known are all-types, walk "
        + "(line 2)"),
    .init(
      yaml: "name: a\nstages: {../x: {kind: walk}}",
      expected: "r.yaml: stages: expected a stage name of letters, digits, '-' and '_', found "
        + "'../x' (line 2)"),
    .init(
      yaml: "[1, 2]",
      expected: "r.yaml: expected a mapping with 'name' and 'stages', found a list of 2 (line 1)"),
    .init(
      yaml: "",
      expected: "r.yaml: expected a mapping with 'name' and 'stages', found nothing (line 1)"),
  ]

  @Test("Complaint 4, trl#2808: a setting without effect is an unknown key", arguments: errorCases)
  func errorsSayPathLineExpectedAndFound(_ test: ErrorCase) {
    let error = #expect(throws: RecipeError.self) {
      try loader.load(yaml: test.yaml, file: "r.yaml")
    }
    #expect(error?.description == test.expected)
  }

  @Test(arguments: ["name: [", "a: b: c", "\tname: x", "name: *nowhere", "name: \"x"])
  func textThatIsNotYAMLIsRefusedWithItsLine(_ yaml: String) throws {
    let error = #expect(throws: RecipeError.self) { try loader.load(yaml: yaml, file: "r.yaml") }
    let found = try #require(error)
    #expect(found.description.hasPrefix("r.yaml: not valid YAML: "))
    #expect(found.line != nil)
  }

  /// The recipes that come with Plumb.
  static let shipped: [URL] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "recipes")
    return RunFiles.names(in: folder).filter { $0.hasSuffix(".yaml") }.map {
      folder.appending(path: $0)
    }
  }()

  @Test(arguments: shipped) func everyShippedRecipeLoads(_ file: URL) throws {
    let recipe = try StageRegistry.standard.loader.load(contentsOf: file)
    #expect("\(recipe.name).yaml" == file.lastPathComponent)
    #expect(!recipe.description.isEmpty && !recipe.stages.isEmpty)
    // What a stage is told resolves to the same settings when it is read again.
    let again = try StageRegistry.standard.loader.load(yaml: recipe.yaml)
    #expect(again.yaml == recipe.yaml)
  }

  /// Equal data, trunk and optimizer, so that only the heads differ.
  @Test func thePairRecipeTrainsThreeHeadsOnOneSet() throws {
    let file = try #require(Self.shipped.first { $0.lastPathComponent == "pair.yaml" })
    let recipe = try StageRegistry.standard.loader.load(contentsOf: file)
    let stages = recipe.stages.dropFirst().map(\.configuration)
    let reward = try #require(stages[0] as? RewardModelConfiguration)
    let embeddings = try #require(stages[1] as? GeneralPreferenceConfiguration)
    let pairs = try stages.dropFirst(2).map { try #require($0 as? PairPreferenceConfiguration) }
    #expect(Set([reward.model, embeddings.model] + pairs.map(\.model)).count == 1)
    let trainings = [reward.training, embeddings.training] + pairs.map(\.training)
    #expect(Set(trainings.map(\.files)).count == 1)
    #expect(trainings.map(\.optimizer.learningRate) == [2e-4, 2e-4, 2e-4, 2e-4])
    // One order an epoch for twice the epochs: as many sequences.
    #expect(trainings.map(\.epochs) == [2, 2, 2, 4])
    #expect(pairs.map(\.trainingOrders) == [.both, .single])
    #expect(pairs.map(\.orders) == [.both, .both] && embeddings.dimension == 6)
  }

  @Test func aMissingFileIsNamed() {
    let url = URL(filePath: "/nowhere/recipe.yaml")
    let error = #expect(throws: RecipeError.self) { try loader.load(contentsOf: url) }
    #expect(
      error?.description
        == "/nowhere/recipe.yaml: cannot read the recipe: no such file or directory")
  }

  @Test func overridesReachEveryLevel() throws {
    let found = try configuration(
      "{updates: 2, schedule: {peak: 3}, sources: [{path: a}]}",
      overrides: [
        "stages.all-types.updates=4", "all-types.schedule.warmup_steps=5", "all-types.note=a=b",
        "all-types.layers=[7, 8]", "all-types.sources.0.weight=0.25", "all-types.updates=6",
      ])
    #expect(found.updates == 6)
    #expect(found.schedule.warmupSteps == 5 && found.schedule.peak == 3)
    #expect(found.note == "a=b")
    #expect(found.layers == [7, 8])
    #expect(found.sources.map(\.path) == ["a"] && found.sources.map(\.weight) == [0.25])
  }

  @Test func overridesReachTheTop() throws {
    let recipe = try loader.load(
      yaml: "name: test\nstages: {walk: }\n", overrides: ["seed=3", "name=other", "walk.steps=1"])
    #expect(recipe.seed == 3 && recipe.name == "other")
  }

  static let badOverrides: [(String, String)] = [
    (
      "walk.stepss=4",
      "stages.walk: unknown key 'stepss'; did you mean 'steps'? (--set walk.stepss=4)"
    ),
    (
      "wlak.steps=4", "unknown key 'wlak'; did you mean 'walk'? (--set wlak.steps=4)"
    ),
    (
      "stages.w4lk.steps=4",
      "stages: unknown key 'w4lk'; did you mean 'walk'? (--set stages.w4lk.steps=4)"
    ),
    (
      "walk.steps=few",
      "stages.walk.steps: expected an integer, found the text 'few' (--set walk.steps=few)"
    ),
    ("walk.steps", "expected path=value, such as ppo.updates=4 (--set walk.steps)"),
    ("walk..steps=3", "expected path=value, such as ppo.updates=4 (--set walk..steps=3)"),
    ("=3", "expected path=value, such as ppo.updates=4 (--set =3)"),
    (
      "walk.steps.more=3",
      "stages.walk.steps: expected a mapping to set 'more' in, found the integer 2 "
        + "(--set walk.steps.more=3)"
    ),
  ]

  @Test(arguments: badOverrides) func badOverridesAreRefused(_ text: String, _ expected: String) {
    let error = #expect(throws: RecipeError.self) {
      try loader.load(
        yaml: "name: test\nstages: {walk: {steps: 2}}\n", overrides: [text], file: "r.yaml")
    }
    #expect(error?.description == expected)
  }

  /// Capitals in a row are one word, so that documented keys such as `max_policy_kl` are read.
  @Test(arguments: [
    ("klCoefficient", "kl_coefficient"), ("maxPolicyKL", "max_policy_kl"), ("maxKL", "max_kl"),
    ("aURLPart", "a_url_part"), ("l2Normalize", "l2_normalize"), ("watch.maxKL", "watch.max_kl"),
  ])
  func namesAreWrittenInSnakeCase(_ name: String, _ expected: String) {
    #expect(snakeCase(name) == expected)
  }
}
