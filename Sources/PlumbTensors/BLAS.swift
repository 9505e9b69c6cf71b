import COpenBLAS

/// The library that computes large matrix products.
public enum BLAS {
  /// Its name and version, how it was built, and the processor core whose kernels it chose.
  public static var description: String {
    let built = openblas_get_config().map { String(cString: $0) } ?? "OpenBLAS"
    guard let core = openblas_get_corename() else { return built }
    return "\(built), core \(String(cString: core))"
  }
}
