"""What operators see and do: runs of jobs, schedules, processes, samples, imports."""
