import PlumbData

/// Which member of a mixture of preference models judges whose pairs, as `models.json` keeps it.
public struct PeopleAssignment: Codable, Hashable, Sendable {
  /// One source of preferences.
  public struct Source: Codable, Hashable, Sendable {
    /// Its name in the recipe.
    public var name: String
    /// The `source` of its rows; empty where the recipe took all rows of its files.
    public var rows: [String]
    /// The place of the member that serves each group of people, from 0.
    public var members: [String: Int]
  }

  /// What belongs to one member as a whole.
  public var groupBy: MaxMinConfiguration.Grouping
  /// The key under which rows name their annotator.
  public var groupField: String
  /// Made-up annotators of every source, where they are dealt.
  public var annotatorsPerSource: Int
  /// Of the dealing.
  public var seed: UInt64
  /// The sources that were trained on.
  public var sources: [Source]

  /// The place of the member that judges a pair; nil for people whom no training pair was of, and for
  /// a row that may be of several sources.
  ///
  /// A row is of the source whose `rows` have its `source`; else of the one that is called so; else of
  /// the one that took every row.
  /// - Parameters:
  ///   - source: the row's `source`, where it has one.
  ///   - annotator: what the row has under `groupField`.
  ///   - promptKey: the text by which prompts are compared.
  public func member(source: String?, annotator: String?, promptKey: String) -> Int? {
    let named = source.map { name in sources.filter { $0.rows.contains(name) } } ?? []
    let called = sources.filter { $0.name == source }
    let open = sources.filter(\.rows.isEmpty)
    let candidates = [named, called, open].first { !$0.isEmpty } ?? []
    guard candidates.count == 1, let found = candidates.first else { return nil }
    return found.members[
      Self.group(
        groupBy, of: found.name, annotator: annotator, promptKey: promptKey,
        annotatorsPerSource: annotatorsPerSource, seed: seed)]
  }

  /// The group of a pair's people.
  static func group(
    _ grouping: MaxMinConfiguration.Grouping, of source: String, annotator: String?,
    promptKey: String, annotatorsPerSource: Int, seed: UInt64
  ) -> String {
    switch grouping {
    case .source: source
    case .annotator: annotator.map { "\(source)/\($0)" } ?? source
    case .dealt:
      // By the prompt, so that a person's test prompts are not the ones learnt from others.
      "\(source)/\(1 + StableHash.of(promptKey, seed: seed) % UInt64(annotatorsPerSource))"
    }
  }
}

extension PeopleAssignment {
  /// The assignment that a mixture ended with.
  ///
  /// - Parameters:
  ///   - clusters: the cluster of each group of `data`.
  ///   - seed: the stage's, by which people were dealt.
  init(_ configuration: MaxMinConfiguration, _ data: AnnotatorGroups, clusters: [Int], seed: UInt64)
  {
    groupBy = configuration.groupBy
    groupField = configuration.groupField
    annotatorsPerSource = configuration.annotatorsPerSource
    self.seed = seed
    sources = data.sources.enumerated().map { index, source in
      var members: [String: Int] = [:]
      for (group, cluster) in zip(data.groups, clusters) where group.source == index {
        members[group.name] = cluster
      }
      return Source(
        name: source.name,
        rows: configuration.sources.first { $0.name == source.name }?.rows ?? [], members: members)
    }
  }
}
