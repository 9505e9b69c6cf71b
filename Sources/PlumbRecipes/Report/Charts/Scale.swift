import Foundation

/// Values of one axis → places on the page, with ticks at numbers that people like.
struct Scale {
  struct Tick: Equatable {
    let value: Double
    let label: String
  }

  let kind: Chart.Axis.Scale
  let low: Double
  let high: Double
  /// Where `low` and `high` are drawn.
  let pixels: (low: Double, high: Double)
  let ticks: [Tick]

  /// - Parameters:
  ///   - values: What is drawn; decides the range where the axis does not.
  ///   - includesZero: Bars must begin at 0.
  ///   - tickCount: About how many ticks are wanted.
  init(
    _ axis: Chart.Axis, values: [Double], pixels: (low: Double, high: Double), tickCount: Int,
    includesZero: Bool = false
  ) {
    kind = axis.scale
    self.pixels = pixels
    let usable = values.filter { $0.isFinite && (axis.scale == .linear || $0 > 0) }
    var low = usable.min() ?? (axis.scale == .linear ? 0 : 1)
    var high = usable.max() ?? (axis.scale == .linear ? 1 : 10)
    if includesZero, axis.scale == .linear { (low, high) = (min(low, 0), max(high, 0)) }
    let fixed = axis.range.flatMap { ends in
      ends.count == 2 && ends[0] < ends[1] && (axis.scale == .linear || ends[0] > 0) ? ends : nil
    }
    switch axis.scale {
    case .linear:
      if low == high {
        (low, high) = low == 0 ? (0, 1) : (low - abs(low) / 10, high + abs(high) / 10)
      }
      let step = Self.step(for: (fixed?[1] ?? high) - (fixed?[0] ?? low), count: tickCount)
      // The axis ends at a tick where the data comes near one, else just beyond the data.
      self.low = fixed?[0] ?? Self.end(low, step: step, span: high - low, direction: -1)
      self.high = fixed?[1] ?? Self.end(high, step: step, span: high - low, direction: 1)
      ticks = Self.linearTicks(from: self.low, to: self.high, step: step)
    case .logarithmic:
      let room = low == high ? 2 : pow(high / low, 0.05)
      self.low = fixed?[0] ?? low / room
      self.high = fixed?[1] ?? high * room
      ticks = Self.logarithmicTicks(from: self.low, to: self.high, count: tickCount)
    }
  }

  /// The place of a value; nil for what the axis cannot show.
  func callAsFunction(_ value: Double) -> Double? {
    guard value.isFinite, kind == .linear || value > 0 else { return nil }
    let share =
      kind == .linear
      ? (value - low) / (high - low) : (log(value) - log(low)) / (log(high) - log(low))
    return pixels.low + share * (pixels.high - pixels.low)
  }

  /// The place of a value, moved to the nearer end where it lies beyond.
  func clamped(_ value: Double) -> Double? { self(min(max(value, low), high)) }

  /// 1, 2 or 5 times a power of ten, so that about `count` steps make the span.
  private static func step(for span: Double, count: Int) -> Double {
    let raw = span / Double(max(1, count))
    let power = pow(10, floor(log10(raw)))
    let lead = raw / power
    return power * (lead <= 1.5 ? 1 : lead <= 3.5 ? 2 : lead <= 7.5 ? 5 : 10)
  }

  private static func end(
    _ value: Double, step: Double, span: Double, direction: Double
  ) -> Double {
    let tick = (direction > 0 ? ceil(value / step - 1e-9) : floor(value / step + 1e-9)) * step
    return abs(tick - value) <= 0.4 * step ? tick : value + direction * 0.04 * span
  }

  private static func linearTicks(from low: Double, to high: Double, step: Double) -> [Tick] {
    let first = Int(ceil(low / step - 1e-9))
    let last = Int(floor(high / step + 1e-9))
    guard first <= last else { return [] }
    let largest = max(abs(low), abs(high))
    return (first...last).map { index in
      let value = Double(index) * step
      return Tick(value: value, label: label(value, step: step, largest: largest))
    }
  }

  private static func label(_ value: Double, step: Double, largest: Double) -> String {
    if value == 0 { return "0" }
    for (size, suffix) in [(1e9, "G"), (1e6, "M"), (1e4, "k")] where largest >= size {
      let unit = suffix == "k" ? 1e3 : size
      return NumberText.fixed(value / unit, decimals(of: step / unit)) + suffix
    }
    if largest < 1e-3 {
      let power = floor(log10(abs(value)) + 1e-9)
      let scaled = NumberText.fixed(value / pow(10, power), decimals(of: step / pow(10, power)))
      let lead = scaled.hasSuffix(".0") ? String(scaled.dropLast(2)) : scaled
      return "\(lead)e−\(-Int(power))"
    }
    return step >= 1 && largest >= 1000
      ? NumberText.grouped(Int(value.rounded())) : NumberText.fixed(value, decimals(of: step))
  }

  private static func decimals(of step: Double) -> Int {
    max(0, min(9, -Int(floor(log10(step) + 1e-9))))
  }

  private static func logarithmicTicks(from low: Double, to high: Double, count: Int) -> [Tick] {
    let powers = Int(floor(log10(low)))...Int(ceil(log10(high)))
    func ticks(_ leads: [Double], every: Int = 1) -> [Tick] {
      var found: [Tick] = []
      for power in powers where power.isMultiple(of: every) {
        for value in leads.map({ $0 * pow(10, Double(power)) })
        where value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9) {
          found.append(Tick(value: value, label: powerLabel(value)))
        }
      }
      return found
    }
    let choices: [[Double]] = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]]
    for leads in choices {
      let found = ticks(leads)
      if found.count <= max(3, count) { return found }
    }
    let every = max(1, Int((Double(powers.count) / Double(max(2, count))).rounded(.up)))
    return ticks([1], every: every)
  }

  private static func powerLabel(_ value: Double) -> String {
    for (size, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
    where value >= size * (1 - 1e-9) && value < 1e15 {
      return NumberText.fixed(value / size, 0) + suffix
    }
    if value >= 1e-3 * (1 - 1e-9), value < 1e15 {
      return NumberText.fixed(value, max(0, -Int(floor(log10(value) + 1e-9))))
    }
    let power = floor(log10(value) + 1e-9)
    let lead = Int((value / pow(10, power)).rounded())
    return "\(lead)e\(power < 0 ? "−" : "")\(abs(Int(power)))"
  }
}
