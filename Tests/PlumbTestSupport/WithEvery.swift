public import Testing

/// The variables of the `withEvery` loops around the running test code.
public enum LoopTrace {
  /// One entry per loop, outermost first, as `name = value`.
  @TaskLocal public static var current: [String] = []
}

/// Runs `body` for every value, so that loops nest into all combinations.
///
/// An error that `body` throws is recorded together with the values of all loops around it, and the
/// loop goes on; `expectClose` and `checkGradients` print the same values.
/// ```swift
/// withEvery("rows", in: 1...4) { rows in
///   withEvery("columns", in: [1, 7, 64]) { columns in … }
/// }
/// ```
public func withEvery<S: Sequence>(
  _ name: String, in values: S, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: (S.Element) throws -> Void
) {
  for value in values {
    LoopTrace.$current.withValue(LoopTrace.current + ["\(name) = \(value)"]) {
      do {
        try body(value)
      } catch {
        record("", "threw \(error)", sourceLocation)
      }
    }
  }
}
