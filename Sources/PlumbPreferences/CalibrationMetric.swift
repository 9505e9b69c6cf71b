/// The figures of a ``Calibration``, by the names that files and reports give them.
public enum CalibrationMetric: String, CaseIterable, Codable, Hashable, Sendable {
  case accuracy
  case nll
  case brier
  case ece
  case foldedECE = "folded_ece"
  case adaptiveECE = "adaptive_ece"
  case mce
  case ace

  /// The figure.
  public func callAsFunction(_ calibration: Calibration) -> Double {
    switch self {
    case .accuracy: calibration.accuracy
    case .nll: calibration.nll
    case .brier: calibration.brier
    case .ece: calibration.ece
    case .foldedECE: calibration.foldedECE
    case .adaptiveECE: calibration.adaptiveECE
    case .mce: calibration.mce
    case .ace: calibration.ace
    }
  }

  /// The name in tables.
  public var label: String {
    switch self {
    case .accuracy: "accuracy"
    case .nll: "NLL (nats)"
    case .brier: "Brier score"
    case .ece: "ECE"
    case .foldedECE: "folded ECE"
    case .adaptiveECE: "adaptive ECE"
    case .mce: "largest gap (MCE)"
    case .ace: "mean gap (ACE)"
    }
  }
}
