import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Trains a mixture of reward models over groups of people beside one model for all.
///
/// MaxMin-RLHF, arXiv 2402.08925.
struct MaxMinStage: Stage {
  static let revision = 2

  let configuration: MaxMinConfiguration

  var inputs: [String] { [configuration.model] + configuration.files }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .policy)] }

  /// What one training gave: a mixture, or the single model.
  struct Record: Codable {
    /// Log-odds that the chosen response wins, on the test pairs of every source: under the cluster of the
    /// pair's group, or under the single model.
    let logOdds: [[Double]]
    /// The same of the lowest reward over the clusters; empty for a single model.
    let minimum: [[Double]]
    /// The cluster of every group; empty for a single model.
    let clusters: [Int]
    /// The objective before training; 0 for a single model.
    let start: Double
    /// The rounds of expectation-maximisation; none for a single model.
    let rounds: [PreferenceMixture.Round]
    /// The round that was kept.
    let bestRound: Int
    /// ``logOdds`` and ``minimum`` of the validation pairs, by the models that were kept.
    var validationLogOdds: [[Double]]?
    var validationMinimum: [[Double]]?
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context,
      what: "\(configuration.clusters) reward models by expectation-maximisation, and one for all,",
      model: configuration.model, train: configuration.sources.flatMap(\.train),
      batch: configuration.batchPairs,
      // The mixture's E-steps read every pair with every model, at a third of a training step's cost.
      epochs: configuration.epochs * Double(configuration.iterations * configuration.seeds)
        * (2 + Double(configuration.clusters) / 3), maxLength: configuration.maxLength)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let folder = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: folder))
    let base = try CausalLM(directory: folder)
    try requireFit(
      configuration.model, stage: context.stage, configuration: base.configuration,
      encoder: encoder, longest: configuration.maxLength)
    let data = try AnnotatorGroups(context, configuration, encoder: encoder)
    let seeds = Array(1...configuration.seeds)
    let cells = seeds.flatMap { seed in
      [("single-seed\(seed)", seed, false), ("mixture-seed\(seed)", seed, true)]
    }
    let records = try CellRunner<Record>(context) { record in
      guard let last = record.rounds.last else { return [:] }
      return ["objective": last.objective, "kept_round": Double(record.bestRound)]
    }.run(
      cells.map { GridCell($0.0, units: configuration.iterations * ($0.2 ? 2 : 1)) }
    ) { index, place in
      let (_, number, isMixture) = cells[index]
      let seed = context.seed &+ UInt64(number - 1) &* 1_000_003
      let model = { (cluster: Int) in
        try RewardModel(
          from: base, head: configuration.head.head, endOfText: encoder.endOfText,
          seed: seed &+ UInt64(cluster) &* 7919)
      }
      return try train(
        isMixture ? (0..<configuration.clusters).map(model) : [model(0)], data, seed: seed,
        isMixture: isMixture, encoder: encoder, place: place)
    }
    let mixtures = records.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    if configuration.keepModels {
      try index(
        mixtures.map {
          PeopleAssignment(configuration, data, clusters: $0.clusters, seed: context.seed)
        }
      ).write(to: context.directory)
    }
    let measured = MeasuredModels(
      zip(cells, records).flatMap { cell, record in
        data.predictions(cell.0, seed: cell.1, record)
      }, seed: context.seed)
    return MaxMinReport(
      data: data, single: records.enumerated().filter { $0.offset % 2 == 0 }.map(\.element),
      mixtures: mixtures, configuration: configuration, stage: context.stage, seed: context.seed
    ).result.adding(measured)
  }

  /// Trains a mixture, or one model on all groups as a mixture of one cluster.
  private func train(
    _ models: [RewardModel], _ data: AnnotatorGroups, seed: UInt64, isMixture: Bool,
    encoder: ConversationEncoder, place: CellContext
  ) throws -> Record {
    let total = configuration.iterations * models.count
    var mixture = try PreferenceMixture(
      models, groups: data.groups, iterations: configuration.iterations
    ) { model, pairs, round, cluster in
      let done = (round - 1) * models.count + cluster
      return try PairTrainer.bradleyTerry(
        configuration.training, seed: seed &+ UInt64(round) &* 31 &+ UInt64(cluster)
      ).train(model, on: pairs) { step, count, loss in
        // Rounds count 1000 parts each, so that progress moves within them.
        try place.step(done * 1000 + step * 1000 / max(1, count), of: total * 1000 + 1, loss: loss)
      }.model
    }
    if configuration.normaliseRewards { mixture.normalise(data, warn: place.stage.warn) }
    if configuration.keepModels {
      for (cluster, model) in mixture.models.enumerated() {
        let folder =
          isMixture ? place.folder.appending(path: "cluster-\(cluster + 1)") : place.folder
        try model.write(to: folder, encoder: encoder)
      }
    }
    let test = try Judged(
      mixture, data.sources.map(\.test), groups: data.testGroups, isMixture: isMixture)
    let validation = try Judged(
      mixture, data.sources.map(\.validation), groups: data.validationGroups,
      isMixture: isMixture)
    return Record(
      logOdds: test.logOdds, minimum: test.minimum,
      clusters: isMixture ? mixture.assignment.clusters : [], start: mixture.start,
      rounds: isMixture ? mixture.rounds : [], bestRound: mixture.bestRound,
      validationLogOdds: validation.logOdds, validationMinimum: validation.minimum)
  }

  /// What the models of a mixture say of some pairs, read once by each.
  private struct Judged {
    /// Under the cluster of the pair's group, [sources] lists.
    let logOdds: [[Double]]
    /// Of the lowest reward over the clusters; empty for a single model.
    let minimum: [[Double]]

    init(
      _ mixture: PreferenceMixture, _ sources: [[EncodedPair]], groups: [[Int?]], isMixture: Bool
    ) throws {
      let pairs = sources.map { $0.map(\.group) }
      var rewards: [[[[Float]]]] = []
      for model in mixture.models {
        rewards.append(try pairs.map { try model.rawScores(groups: $0) })
      }
      func odds(_ cluster: Int, _ source: Int, _ pair: Int) -> Double {
        Double(rewards[cluster][source][pair][0]) - Double(rewards[cluster][source][pair][1])
      }
      let clusters = mixture.models.indices
      logOdds = groups.enumerated().map { source, groups in
        groups.enumerated().map { pair, group in
          guard let group else {
            return clusters.reduce(0) { $0 + odds($1, source, pair) } / Double(clusters.count)
          }
          return odds(mixture.assignment.clusters[group], source, pair)
        }
      }
      minimum =
        !isMixture
        ? []
        : pairs.indices.map { source in
          pairs[source].indices.map { pair in
            func least(_ side: Int) -> Double {
              clusters.map { cluster in
                let raw = rewards[cluster][source][pair][side]
                return Double(mixture.models[cluster].normalisation?(raw) ?? raw)
              }.min() ?? 0
            }
            return least(0) - least(1)
          }
        }
    }
  }

  /// Of every seed the single model, the lowest reward over the clusters, and the mixture whose clusters
  /// judge their own people's pairs.
  ///
  /// - Parameter people: of each seed.
  private func index(_ people: [PeopleAssignment]) -> ModelIndex {
    ModelIndex(
      models: people.enumerated().flatMap { offset, people in
        let seed = offset + 1
        let clusters = (1..<(configuration.clusters + 1)).map {
          "cells/mixture-seed\(seed)/cluster-\($0)"
        }
        func entry(
          _ scheme: String, _ members: [String], _ rule: CombinedJudge.Rule,
          _ people: PeopleAssignment? = nil
        ) -> ModelIndex.Entry {
          ModelIndex.Entry(
            name: "\(scheme)-seed\(seed)", scheme: scheme, seed: seed, members: members, rule: rule,
            accuracy: nil, ece: nil, people: people)
        }
        return [
          entry("single", ["cells/single-seed\(seed)"], .mean),
          entry("max-min", clusters, .minimum), entry("mixture", clusters, .mean, people),
        ]
      })
  }
}

extension PreferenceMixture {
  /// Brings every model's rewards to mean 0 and variance 1 on the responses of all training pairs.
  mutating func normalise(_ data: AnnotatorGroups, warn: (String) -> Void) {
    let groups = data.groups.flatMap { $0.train.map(\.group) }
    for cluster in models.indices {
      do {
        try models[cluster].normalise(on: groups)
      } catch {
        warn("cluster \(cluster + 1): rewards are not normalised: \(error)")
      }
    }
  }
}
