import Foundation

/// What the watch remembers from round to round; part of every checkpoint.
struct WatchState: Codable, Equatable {
  /// Mean and spread of a number over the rounds of the start, each value of a round counted once.
  struct Baseline: Codable, Equatable {
    private(set) var count = 0.0
    private var sum = 0.0
    private var squares = 0.0

    var mean: Double { count > 0 ? sum / count : .nan }

    /// The standard deviation over all values, biased; 0 for one value.
    var deviation: Double {
      count > 0 ? max(0, squares / count - mean * mean).squareRoot() : .nan
    }

    /// Whether all values are equal but for rounding; not so of none.
    var isFlat: Bool { deviation <= 1e-6 * abs(mean) }

    mutating func add(_ values: some Sequence<Double>) {
      for value in values {
        count += 1
        sum += value
        squares += value * value
      }
    }
  }

  /// The mean KL of a round and the variance of that mean.
  struct RoundKL: Codable, Equatable {
    let mean: Double
    let variance: Double
  }

  /// Rounds that went into the baselines.
  var baselineRounds = 0
  var length = Baseline()
  var distinct = Baseline()
  var entropy = Baseline()
  /// Scores of the training judge in rounds that the held-out judge saw too.
  var training = Baseline()
  var heldOut = Baseline()
  /// The last rounds, oldest first.
  var kls: [RoundKL] = []
  /// Monitors beyond their limit since they last rang.
  var ringing: Set<String> = []
  /// Every alarm so far.
  var alarms: [WatchAlarm] = []
  /// The tables of samples of the first and the latest round that had one.
  var firstTable: SampleTable?
  var lastTable: SampleTable?
  /// Bytes of `samples.jsonl`.
  var samplesBytes = 0

  /// Rounds that the mean of the KL is taken over.
  static let roundsOfKL = 10

  /// Adds a round; gives the mean of the last ten in standard errors, nil until there are ten that vary.
  mutating func addKL(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    kls.append(RoundKL(mean: mean, variance: squares / (count - 1) / count))
    kls.removeFirst(max(0, kls.count - Self.roundsOfKL))
    let variance = kls.reduce(0) { $0 + $1.variance }
    guard kls.count == Self.roundsOfKL, variance > 0 else { return nil }
    return kls.reduce(0) { $0 + $1.mean } / variance.squareRoot()
  }

  /// Looks whether a monitor rings now, and remembers that it does.
  ///
  /// - Returns: the alarm, if this is a new crossing.
  mutating func look(_ monitor: WatchMonitor, at value: Double, update: Int) -> WatchAlarm? {
    guard value.isFinite else { return nil }
    if ringing.contains(monitor.name) {
      if monitor.isInside(value) { ringing.remove(monitor.name) }
      return nil
    }
    guard monitor.isCrossed(value) else { return nil }
    ringing.insert(monitor.name)
    let setting = monitor.setting.isEmpty ? "" : " (watch.\(monitor.setting) changes the limit)"
    let alarm = WatchAlarm(
      update: update, monitor: monitor.name, what: monitor.what, unit: monitor.unit,
      side: monitor.side, value: value, limit: monitor.limit, advice: monitor.advice + setting)
    alarms.append(alarm)
    return alarm
  }
}
