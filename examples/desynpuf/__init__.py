"""Medicare claims in a real layout, CMS DE-SynPUF, turned into cells and posted."""
