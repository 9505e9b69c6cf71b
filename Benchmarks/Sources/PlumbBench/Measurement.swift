import PlumbTensors

/// The products of one repetition, timed alone in the process that ran it.
struct ProductTimes: Codable {
  /// All products but those of attention, in seconds.
  var linearSeconds: Double
  /// The products of attention's tiles, in seconds.
  var tileSeconds: Double
  var counts: EngineCounts
}

/// What was measured of one side in one workload.
struct Measurement: Codable {
  /// `plumb`, or a peer.
  var side: String
  var workload: String
  var unit: String
  /// Seconds of each repetition, in order; the first one, which warms up, is left out.
  var seconds: [Double] = []
  /// What one repetition gets done.
  var units = 0.0
  var peakMegabytes = 0.0
  /// Of Plumb's side.
  var products: ProductTimes?

  init(side: String, workload: WorkloadName, unit: String) {
    self.side = side
    self.workload = workload.description
    self.unit = unit
  }

  mutating func add(_ repetition: Session.Repetition) {
    seconds.append(repetition.seconds)
    units = repetition.units
    peakMegabytes = max(peakMegabytes, repetition.peakMb)
  }

  /// Whether a smaller value is the better one.
  var isTime: Bool { unit.hasPrefix("s/") }

  /// The median in the workload's unit.
  var value: Double {
    let seconds = median(seconds)
    return isTime ? seconds / units : units / seconds
  }

  /// Billions of floating-point operations a second, those of matrix products only.
  var gigaflops: Double? {
    products.map { Double($0.counts.flops) / median(seconds) / 1e9 }
  }

  /// The share of a repetition that its products take alone.
  var shareOfProducts: Double? {
    products.map { ($0.linearSeconds + $0.tileSeconds) / median(seconds) }
  }

  /// The same without the products of attention.
  var shareOfLinearProducts: Double? {
    products.map { $0.linearSeconds / median(seconds) }
  }
}

/// The middle value, or the mean of the two; NaN for none.
func median(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return .nan }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
