import CKernels
import COpenBLAS
import Glibc

/// How many threads the kernels use; the one place where that is set.
public enum Threads {
  /// Sets the number of threads for the whole process, at least 1.
  ///
  /// Results are reproducible for a fixed count. Call it before any other work.
  public static func configure(_ count: Int) {
    precondition(count >= 1, "Threads: expected at least 1, found \(count)")
    _ = isReady
    plumb_set_thread_count(Int32(clamping: count))
  }

  /// The number of threads in use; the number of cores unless configured.
  public static var count: Int {
    _ = isReady
    return Int(plumb_thread_count())
  }

  /// OpenBLAS stays on one thread for good: matrix products are divided over our own workers.
  private static let isReady: Bool = {
    openblas_set_num_threads(1)
    plumb_set_thread_count(Int32(clamping: sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    return true
  }()

  /// Calls `body` for ranges that together cover `0..<count`, one per thread.
  ///
  /// The division depends only on `count`, `grain` and the thread count. Work of at most `grain`
  /// items stays whole and on the caller's thread. `body` must write only what its range owns.
  static func split(_ count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
    let chunks = max(1, min(Threads.count, count / max(1, grain)))
    each(chunks) { chunk in body((count * chunk / chunks)..<(count * (chunk + 1) / chunks)) }
  }

  /// Calls `body` once for every index below `chunks`, spread over the threads.
  static func each(_ chunks: Int, _ body: (Int) -> Void) {
    _ = isReady
    guard chunks > 1 else {
      if chunks == 1 { body(0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      var work = Work(body: body)
      withUnsafeMutablePointer(to: &work) { context in
        plumb_parallel(
          Int32(chunks),
          { context, chunk in
            context?.assumingMemoryBound(to: Work.self).pointee.body(Int(chunk))
          }, context)
      }
    }
  }

  private struct Work {
    let body: (Int) -> Void
  }
}
