import Foundation
import Synchronization

/// Ctrl-C and `kill`: the first asks the run to stop after the step, the second ends the process.
public enum Interruption {
  private static let requested = Atomic<Bool>(false)

  /// Starts to listen for SIGINT and SIGTERM.
  public static func install() {
    // Touched here, so that the handler never runs the first access to a global.
    requested.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      // Programs that start others from a worker thread hand on that thread's blocked signals.
      var blocked = sigset_t()
      sigemptyset(&blocked)
      sigaddset(&blocked, number)
      pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
      signal(number) { number in
        Interruption.requested.store(true, ordering: .relaxed)
        // The next one has the system's effect: it kills. `signal` may be called in a handler.
        signal(number, SIG_DFL)
      }
    }
  }

  /// Whether the user has asked the run to stop.
  public static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// The exit status of a run that was interrupted, as shells use it.
  public static let exitCode: Int32 = 130
}
