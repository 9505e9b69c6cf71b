public import PlumbTensors
public import Testing

/// How two sequences of numbers compare: `|found - expected| <= absolute + relative * |expected|`.
public struct Closeness: CustomStringConvertible, Sendable {
  /// Whether the lengths agree and every element is within the tolerance.
  public let isClose: Bool
  /// The first element out of tolerance, the worst one, and how many there are; or what was checked.
  public let description: String

  /// Compares element by element; a NaN agrees only with a NaN, an infinity only with itself.
  public init<T: BinaryFloatingPoint>(
    _ found: [T], _ expected: [T], absolute: T, relative: T
  ) {
    guard found.count == expected.count else {
      isClose = false
      description = "expected \(expected.count) values, found \(found.count)"
      return
    }
    var first: Int?
    var failures = 0
    var worst = (index: 0, difference: T.zero)
    for (index, (f, e)) in zip(found, expected).enumerated() {
      let difference = abs(f - e)
      let agrees =
        f == e || (f.isNaN && e.isNaN)
        || (difference.isFinite && difference <= absolute + relative * abs(e))
      // A NaN difference counts as the largest; `>` alone would skip it.
      if f != e, difference > worst.difference || (difference.isNaN && !agrees) {
        worst = (index, difference)
      }
      if !agrees {
        first = first ?? index
        failures += 1
      }
    }
    isClose = failures == 0
    guard let first else {
      description = "\(found.count) values agree; largest difference \(worst.difference)"
      return
    }
    description =
      "\(failures) of \(found.count) values differ, first at index \(first): expected "
      + "\(expected[first]), found \(found[first]); largest difference \(worst.difference) "
      + "at index \(worst.index); allowed \(absolute) + \(relative) * |expected|"
  }
}

/// Whether two sequences of numbers agree within `absolute + relative * |expected|`.
public func isClose<T: BinaryFloatingPoint>(
  _ found: [T], _ expected: [T], absolute: T = 1e-5, relative: T = 1e-5
) -> Bool {
  Closeness(found, expected, absolute: absolute, relative: relative).isClose
}

/// Whether two numbers agree within `absolute + relative * |expected|`.
public func isClose<T: BinaryFloatingPoint>(
  _ found: T, _ expected: T, absolute: T = 1e-5, relative: T = 1e-5
) -> Bool {
  isClose([found], [expected], absolute: absolute, relative: relative)
}

/// Records an issue that names the first and the worst mismatch, unless the sequences agree.
@discardableResult
public func expectClose<T: BinaryFloatingPoint>(
  _ found: [T], _ expected: [T], absolute: T = 1e-5, relative: T = 1e-5, _ label: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
  let closeness = Closeness(found, expected, absolute: absolute, relative: relative)
  if !closeness.isClose {
    record(label, closeness.description, sourceLocation)
  }
  return closeness.isClose
}

/// Records an issue unless the two numbers agree.
@discardableResult
public func expectClose<T: BinaryFloatingPoint>(
  _ found: T, _ expected: T, absolute: T = 1e-5, relative: T = 1e-5, _ label: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
  expectClose(
    [found], [expected], absolute: absolute, relative: relative, label,
    sourceLocation: sourceLocation)
}

/// Records an issue unless the tensors agree in shape and values.
@discardableResult
public func expectClose(
  _ found: Tensor, _ expected: Tensor, absolute: Float = 1e-5, relative: Float = 1e-5,
  _ label: String = "", sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
  guard found.shape == expected.shape else {
    record(label, "expected shape \(expected.shape), found \(found.shape)", sourceLocation)
    return false
  }
  return expectClose(
    found.scalars, expected.scalars, absolute: absolute, relative: relative, label,
    sourceLocation: sourceLocation)
}

/// Records `message`, after the label and the values of the enclosing `withEvery` loops.
func record(_ label: String, _ message: String, _ sourceLocation: SourceLocation) {
  let parts = LoopTrace.current + (label.isEmpty ? [] : [label]) + [message]
  Issue.record(Comment(rawValue: parts.joined(separator: ": ")), sourceLocation: sourceLocation)
}
