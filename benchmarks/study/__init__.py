"""Every statistic under real noise: bias, and how often its intervals hold the truth (`make study`)."""
