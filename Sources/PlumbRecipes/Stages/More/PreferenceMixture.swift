import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences

/// Trains a mixture of reward models by hard expectation-maximisation.
///
/// MaxMin-RLHF, arXiv 2402.08925, algorithm 2: every group of people belongs to the cluster under which
/// its choices are likeliest; every cluster's model is trained with the Bradley-Terry loss on its groups.
///
/// A round trains first and assigns then. A cluster keeps its old weights where training made the
/// likelihood of its own pairs worse, and an empty cluster starts from the weights of the one that
/// gives it a group, so the objective never falls.
struct PreferenceMixture {
  /// One round.
  struct Round: Codable, Hashable {
    /// `Σ log σ(Δr)` over all training pairs under their clusters, nats, after the round.
    let objective: Double
    /// The same on the validation pairs, per pair; nil where there are none.
    let validation: Double?
    /// Groups that changed their cluster.
    let moved: Int
    /// Clusters that kept their old weights.
    let kept: Int
    /// Empty clusters that were given a group.
    let refilled: Int
  }

  var models: [RewardModel]
  private(set) var assignment: ClusterAssignment
  /// The objective before the first round, then every round.
  private(set) var start: Double
  private(set) var rounds: [Round] = []
  /// The round whose weights are kept, from 1: that of the best validation, or the last.
  private(set) var bestRound = 0

  /// Trains the mixture.
  ///
  /// - Parameters:
  ///   - models: one per cluster, as they start.
  ///   - groups: at least one; their training pairs decide, their validation pairs choose the round.
  ///   - train: makes a cluster's next model from its last one, its pairs, the round and the cluster.
  init(
    _ models: [RewardModel], groups: [AnnotatorGroup], iterations: Int,
    train: (RewardModel, [EncodedPair], _ round: Int, _ cluster: Int) throws -> RewardModel
  ) throws {
    self.models = models
    assignment = ClusterAssignment(groups: groups.count, clusters: models.count)
    var table = groups.map { _ in [Double](repeating: 0, count: models.count) }
    for (cluster, model) in models.enumerated() {
      Self.fill(&table, cluster, try Self.likelihoods(model, groups.map(\.train)))
    }
    start = assignment.objective(table)
    let counts = groups.map(\.train.count)
    let hasValidation = groups.contains { !$0.validation.isEmpty }
    var best: (value: Double, models: [RewardModel], assignment: ClusterAssignment)?
    for round in 1...max(1, iterations) {
      var kept = 0
      for cluster in self.models.indices {
        let own = assignment.groups(in: cluster)
        guard !own.isEmpty else { continue }
        let next = try train(
          self.models[cluster], own.flatMap { groups[$0].train }, round, cluster)
        let found = try Self.likelihoods(next, groups.map(\.train))
        let before = own.reduce(0) { $0 + table[$1][cluster] }
        if own.reduce(0, { $0 + found[$1] }) >= before {
          self.models[cluster] = next
          Self.fill(&table, cluster, found)
        } else {
          kept += 1
        }
      }
      let moved = assignment.assign(table)
      let refills = assignment.refillEmptyClusters(table, pairs: counts)
      for refill in refills {
        self.models[refill.cluster] = self.models[refill.donor]
        for group in table.indices { table[group][refill.cluster] = table[group][refill.donor] }
      }
      let validation = hasValidation ? try self.validation(groups) : nil
      rounds.append(
        Round(
          objective: assignment.objective(table), validation: validation, moved: moved, kept: kept,
          refilled: refills.count))
      if let validation, validation > best?.value ?? -.infinity {
        best = (validation, self.models, assignment)
        bestRound = round
      }
    }
    if let best {
      self.models = best.models
      assignment = best.assignment
    } else {
      bestRound = rounds.count
    }
  }

  /// The mean log-likelihood of the validation pairs under the clusters of their groups, nats per pair.
  private func validation(_ groups: [AnnotatorGroup]) throws -> Double {
    var sum = 0.0
    for (cluster, model) in models.enumerated() {
      let own = assignment.groups(in: cluster).map { groups[$0].validation }
      sum += try Self.likelihoods(model, own).reduce(0, +)
    }
    return sum / Double(groups.reduce(0) { $0 + $1.validation.count })
  }

  /// `Σ log σ(r(chosen) − r(rejected))` of every list of pairs, nats.
  private static func likelihoods(
    _ model: RewardModel, _ lists: [[EncodedPair]]
  ) throws -> [Double] {
    let odds = try PreferenceModel.reward(model).logOdds(pairs: lists.flatMap { $0.map(\.group) })
    var next = 0
    return lists.map { list in
      defer { next += list.count }
      return odds[next..<next + list.count].reduce(0.0) { sum, d in
        sum - (max(-d, 0) + log1p(exp(-abs(d))))
      }
    }
  }

  private static func fill(_ table: inout [[Double]], _ cluster: Int, _ values: [Double]) {
    for (group, value) in values.enumerated() { table[group][cluster] = value }
  }
}
