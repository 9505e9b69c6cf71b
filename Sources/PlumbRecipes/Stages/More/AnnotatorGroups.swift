import PlumbData
import PlumbTokenizers

/// One group of people whose pairs go to one cluster as a whole.
struct AnnotatorGroup {
  let name: String
  /// The place of its source.
  let source: Int
  var train: [EncodedPair] = []
  var validation: [EncodedPair] = []
}

/// The groups of several sources, and which group every test pair belongs to.
struct AnnotatorGroups {
  let sources: [PreferenceSource]
  /// Groups with pairs to train on, in the order of the sources and of their names.
  let groups: [AnnotatorGroup]
  /// The group of every test pair, [sources] lists; nil for people of whom no training pair is known.
  let testGroups: [[Int?]]
  /// The same of every validation pair.
  let validationGroups: [[Int?]]

  /// Reads the sources and puts their pairs into groups.
  init(
    _ context: StageContext, _ configuration: MaxMinConfiguration, encoder: ConversationEncoder
  ) throws {
    var reader = PreferenceSourceReader(
      context: context, encoder: encoder, maxLength: configuration.maxLength,
      groupField: configuration.groupField)
    let seed = context.seed
    reader.label = { pair, source in
      PeopleAssignment.group(
        configuration.groupBy, of: source.name, annotator: pair.group, promptKey: pair.promptKey,
        annotatorsPerSource: configuration.annotatorsPerSource, seed: seed)
    }
    sources = try reader.read(configuration.sources)
    var groups: [AnnotatorGroup] = []
    var places: [String: Int] = [:]
    for (index, source) in sources.enumerated() {
      for name in Set(source.train.map(\.source)).sorted(by: Self.numerically) {
        places["\(index) \(name)"] = groups.count
        groups.append(AnnotatorGroup(name: name, source: index))
      }
      for pair in source.train {
        if let place = places["\(index) \(pair.source)"] { groups[place].train.append(pair) }
      }
      for pair in source.validation {
        if let place = places["\(index) \(pair.source)"] { groups[place].validation.append(pair) }
      }
    }
    self.groups = groups
    func known(_ pairs: [[EncodedPair]]) -> [[Int?]] {
      pairs.enumerated().map { index, pairs in
        pairs.map { places["\(index) \($0.source)"] }
      }
    }
    testGroups = known(sources.map(\.test))
    validationGroups = known(sources.map(\.validation))
    let unknown = testGroups.reduce(0) { $0 + $1.count { $0 == nil } }
    if unknown > 0 {
      context.warn(
        "\(unknown) test pairs are of people without a training pair; the mixture judges them by the mean "
          + "of its models")
    }
    if configuration.groupBy == .annotator,
      groups.allSatisfy({ group in
        sources.contains { $0.name == group.name }
      })
    {
      context.warn(
        "no row names an annotator under '\(configuration.groupField)': every source is one group")
    }
    if groups.count < configuration.clusters {
      context.warn(
        "\(groups.count) group(s) cannot fill \(configuration.clusters) clusters; some stay empty")
    }
  }

  /// `a/2` before `a/10`.
  private static func numerically(_ first: String, _ second: String) -> Bool {
    (first.count, first) < (second.count, second)
  }
}
