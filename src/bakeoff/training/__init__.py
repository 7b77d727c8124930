"""The one loop, framework-free: schedules, stopping, checkpoints, observers."""
