public import PlumbPreferences

/// What is done with a group that a judge cannot judge.
public enum JudgeFailure: String, Codable, Hashable, Sendable, CaseIterable {
  /// The run stops; what was sampled is kept, and `--resume` judges it again.
  case stop
  /// The group is left out of its round, which is warned of and counted.
  case skip
}

/// Whether the preferences of a judge become scores, for optimisers that need one number per response.
public enum PreferenceReward: String, Codable, Hashable, Sendable, CaseIterable {
  /// Scores are the judge's own; a judge of preferences has none.
  case off
  /// The mean log-odds over the other responses to the prompt.
  case opponents
  /// The mean probability over the other responses to the prompt.
  case winRate = "win-rate"

  var measure: OpponentRewardJudge.Measure? {
    switch self {
    case .off: nil
    case .opponents: .opponents
    case .winRate: .winRate
    }
  }
}

/// The settings that judges of every form have.
struct JudgeHandling: Equatable {
  var onFailure = JudgeFailure.stop
  var preferenceReward = PreferenceReward.off
}

/// A group of settings of a judge.
protocol JudgeForm {
  var onFailure: JudgeFailure { get }
  var preferenceReward: PreferenceReward { get }
}

extension JudgeForm {
  var handling: JudgeHandling {
    JudgeHandling(onFailure: onFailure, preferenceReward: preferenceReward)
  }
}

/// A trained model as judge.
public struct ModelJudgeConfiguration: ConfigurationSection, Hashable, JudgeForm {
  /// The stage or folder of a reward model, a general preference model or a pair model.
  public var model = ""
  /// Whether preferences become scores.
  public var preferenceReward = PreferenceReward.off
  /// What is done with a group that cannot be judged.
  public var onFailure = JudgeFailure.stop

  /// The defaults.
  public init() {}
}

/// Several judges as one.
public struct EnsembleJudgeConfiguration: ConfigurationSection, Hashable, JudgeForm {
  /// The judges, of any form.
  public var ensemble: [JudgeChoice] = []
  /// Their mean, or the lowest score of each response (worst case, as in MaxMin-RLHF).
  public var combine = CombinedJudge.Rule.mean
  /// Weights of the mean, one above 0 for each judge; none for equal ones.
  public var weights: [Double] = []
  /// Whether preferences become scores.
  public var preferenceReward = PreferenceReward.off
  /// What is done with a group that cannot be judged.
  public var onFailure = JudgeFailure.stop

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("ensemble", ensemble.count >= 2, "at least two judges", ensemble.count)
    for judge in ensemble {
      try judge.validate("ensemble")
      try require(
        "ensemble", judge.handling.onFailure == .stop, "on_failure beside the ensemble",
        "on_failure of the member '\(judge.summary)'")
    }
    guard !weights.isEmpty else { return }
    try require("weights", combine == .mean, "none where the lowest counts", weights.count)
    try require(
      "weights",
      weights.count == ensemble.count && weights.allSatisfy { (1e-9...1e9).contains($0) },
      "\(ensemble.count) numbers above 0, one for each judge", "\(weights)")
  }
}

/// A program that listens on this machine as judge.
public struct EndpointJudgeConfiguration: ConfigurationSection, Hashable, JudgeForm {
  /// Its address, such as `http://127.0.0.1:8000/judge`.
  public var endpoint = ""
  /// Seconds for one exchange.
  public var timeout = 60.0
  /// Further attempts after one that failed for the moment.
  public var retries = 3
  /// Seconds before the first further attempt; each later one waits twice as long.
  public var backoff = 0.5
  /// Prompts in one request.
  public var batchSize = 16
  /// Whether the address may be that of another machine, to which prompts and responses then go.
  public var allowRemote = false
  /// Whether preferences become scores.
  public var preferenceReward = PreferenceReward.off
  /// What is done with a group that cannot be judged.
  public var onFailure = JudgeFailure.stop

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    do {
      _ = try EndpointAddress(endpoint, allowsRemote: allowRemote)
    } catch {
      throw ConfigurationProblem(
        "endpoint", expected: "the address of a program on this machine", found: "\(error)")
    }
    try require(
      "timeout", (0.001...86_400).contains(timeout), "a number from 0.001 to 86400", timeout)
    try require("retries", (0...100).contains(retries), "an integer from 0 to 100", retries)
    try require("backoff", (0...3600).contains(backoff), "a number from 0 to 3600", backoff)
    try requireCount("batch_size", batchSize)
  }

  var options: EndpointJudge.Options {
    var options = EndpointJudge.Options()
    options.timeout = timeout
    options.retries = retries
    options.backoff = backoff
    options.batchSize = batchSize
    return options
  }
}
